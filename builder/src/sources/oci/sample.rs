//! Credential helpers of the tests.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::converse::{Limits, converse};

/// Puts a helper into a folder. A shell writes it: what this process has open for writing, another thread's new process has
/// open for a moment, too, and until then it cannot be started (ETXTBSY).
pub fn helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(&path);
    let limits = Limits { patience: Duration::from_secs(60), most_bytes: 0 };
    let written = converse(&mut shell, format!("#!/bin/sh\n{script}\n").as_bytes(), limits).unwrap();
    assert!(written.answer.is_ok() && written.status.success(), "{}: {}", path.display(), written.status);
}
