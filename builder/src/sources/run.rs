//! Other programs: started with the arguments and the environment that are named here, and nothing else of ours
//! on their input. Output is collected; on failure the end of what they wrote stands in the error.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{Error, NO_NETWORK};

/// How much of a failed program's output stands in the error.
const TAIL: usize = 2048;

/// A program to run.
#[derive(Debug)]
pub struct Run {
    command: Command,
    name: String,
    missing: &'static str,
    fetches: bool,
}

impl Run {
    /// A program with the user's environment, for what may use the network and the machine's settings.
    pub fn new(program: impl AsRef<OsStr>) -> Run {
        let name = Path::new(program.as_ref()).file_name().unwrap_or(program.as_ref()).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        Run { command, name, missing: "", fetches: false }
    }

    /// A program without the user's environment: what it makes must not depend on it.
    pub fn bare(program: impl AsRef<OsStr>) -> Run {
        let mut run = Run::new(program);
        run.command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        run
    }

    /// What to do when the program is not installed.
    pub fn or_install(mut self, advice: &'static str) -> Run {
        self.missing = advice;
        self
    }

    /// It uses the network: when it fails, that may be why.
    pub fn fetching(mut self) -> Run {
        self.fetches = true;
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Run {
        self.command.args(args);
        self
    }

    /// Adds an option and its value.
    pub fn arg_pair(mut self, option: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.arg(option).arg(value);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: &str) -> Run {
        self.command.env_remove(name);
        self
    }

    /// Runs it in a folder.
    pub fn folder(mut self, folder: &Path) -> Run {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end; gives its standard output. Any status but 0 is an error.
    pub fn output(self) -> Result<Vec<u8>, Error> {
        let (describe, fetches) = (self.describe(), self.fetches);
        let (status, stdout, stderr) = self.outcome()?;
        if status.success() {
            return Ok(stdout);
        }
        let said = if stderr.is_empty() { &stdout } else { &stderr };
        let next = if fetches { format!("\n{NO_NETWORK}") } else { String::new() };
        Err(Error::Tool { program: describe, reason: format!("{status}\n{}{next}", tail(said)) })
    }

    /// Runs it to its end, whatever its status.
    pub fn outcome(mut self) -> Result<(std::process::ExitStatus, Vec<u8>, Vec<u8>), Error> {
        match self.command.output() {
            Ok(output) => Ok((output.status, output.stdout, output.stderr)),
            Err(error) => Err(Error::Tool { program: self.name.clone(), reason: self.why(&error) }),
        }
    }

    fn why(&self, error: &std::io::Error) -> String {
        match error.kind() {
            std::io::ErrorKind::NotFound if !self.missing.is_empty() => format!("not found; {}", self.missing),
            _ => error.to_string(),
        }
    }

    fn describe(&self) -> String {
        let mut text = self.name.clone();
        for argument in self.command.get_args().take(4) {
            text.push(' ');
            text.push_str(&argument.to_string_lossy());
        }
        text
    }
}

fn tail(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL)..]).trim().to_string()
}
