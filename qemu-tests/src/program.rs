//! Programs of the host: found in PATH, run to their end, with the end of what they wrote in the error.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// QEMU's machine.
pub const QEMU: (&str, &str) = ("qemu-system-x86_64", "qemu-system-x86");
/// QEMU's disk image tool.
pub const QEMU_IMG: (&str, &str) = ("qemu-img", "qemu-utils");

/// How much of a program's error output an error carries.
const STDERR_TAIL: usize = 2048;

/// Looks for a program in PATH.
pub fn find((program, package): (&'static str, &'static str)) -> Result<PathBuf> {
    find_in(std::env::var_os("PATH").unwrap_or_default().as_ref(), program).ok_or(Error::NoProgram { program, package })
}

fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs a program to its end. It gets no input; its output is dropped, its error output ends up in the
/// error if it fails.
pub fn run<A: AsRef<OsStr>>(which: (&'static str, &'static str), arguments: &[A]) -> Result<()> {
    let path = find(which)?;
    let output =
        Command::new(&path).args(arguments).stdin(Stdio::null()).output().map_err(Error::file("starting", &path))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program { program: which.0, status: output.status.to_string(), stderr: tail(&output.stderr) })
}

/// The end of what a program wrote, as text.
pub(crate) fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(STDERR_TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = find(("orlop-no-such-program", "some-package")).unwrap_err().to_string();
        assert!(error.contains("orlop-no-such-program is not installed"), "{error}");
        assert!(error.contains("apt install some-package"), "{error}");
    }

    #[test]
    fn a_failing_program_says_why() {
        let error = run(("ls", "coreutils"), &["/nonexistent"]).unwrap_err().to_string();
        assert!(error.contains("ls failed") && error.contains("/nonexistent"), "{error}");
    }
}
