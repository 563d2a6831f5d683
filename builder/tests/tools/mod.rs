//! Other people's programs, as second witnesses. One that is missing fails the test: a witness that is silently absent is none.

#![allow(dead_code, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

/// A program of the machine, also from the folders that only root has in its PATH.
pub fn tool(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{path}:/usr/sbin:/sbin");
    let found = path.split(':').map(|folder| Path::new(folder).join(name)).find(|file| file.is_file());
    let found = found.unwrap_or_else(|| panic!("the second witness `{name}` is not installed; run `make setup`"));
    let mut command = Command::new(found);
    command.env("LC_ALL", "C");
    command
}

/// Runs it; standard output. Fails the test with all that it said when it does not succeed.
pub fn says(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}
