//! A program that runs once: its lines, its end.

use super::lines::LinePipe;
use crate::sys::process::{Program, spawn};
use nix::unistd::Pid;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Import a preload archive.
    Import,
    /// Load the modules that nothing waits for.
    Modules,
    /// Wait for the static pods.
    Pods,
    /// Stop all containers.
    StopAll,
}

/// A running job.
#[derive(Debug)]
pub struct Job {
    /// What for.
    pub purpose: Purpose,
    /// Its process.
    pub pid: Pid,
    pipe: LinePipe,
    open: bool,
    last: String,
}

impl Job {
    /// Starts a program of the verified root.
    pub fn start(purpose: Purpose, file: &OwnedFd, arguments: &[&str], cgroup: Option<&File>) -> io::Result<Self> {
        let (pipe, write) = LinePipe::new()?;
        let arguments = arguments.iter().map(|argument| CString::new(*argument)).collect::<Result<Vec<_>, _>>()?;
        let environment = [c"PATH=/usr/bin".to_owned()];
        let output = write.as_fd();
        let program = Program {
            file: file.as_fd(),
            arguments: &arguments,
            environment: &environment,
            output: [output, output],
            cgroup,
            oom_score: None,
            open_files: None,
            without: &[],
        };
        Ok(Job { purpose, pid: spawn(&program)?, pipe, open: true, last: String::new() })
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.fd()
    }

    /// Whether more may come from its pipe.
    pub fn open(&self) -> bool {
        self.open
    }

    /// The lines that it printed since.
    pub fn lines(&mut self, lines: &mut Vec<String>) {
        let before = lines.len();
        self.open = self.pipe.read(&mut |line| lines.push(String::from_utf8_lossy(line).into_owned()));
        if let Some(line) = lines[before..].last() {
            self.last.clone_from(line);
        }
    }

    /// The last line: the reason, when it failed.
    pub fn last_line(&self) -> &str {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{OFlag, open};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::stat::Mode;
    use nix::sys::wait::{WaitStatus, waitpid};

    fn program(path: &str) -> OwnedFd {
        open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).expect("a program")
    }

    #[test]
    fn a_job_is_started_by_descriptor_and_its_lines_are_heard() {
        let script = ["sh", "-c", "echo one; echo $PATH $HOME; echo why >&2; exit 3"];
        let mut job = Job::start(Purpose::Pods, &program("/bin/sh"), &script, None).expect("started");
        let mut lines = Vec::new();
        while job.open() {
            poll(&mut [PollFd::new(job.fd(), PollFlags::POLLIN)], PollTimeout::NONE).expect("polled");
            job.lines(&mut lines);
        }
        assert_eq!(lines, ["one", "/usr/bin", "why"]);
        assert_eq!(job.last_line(), "why");
        assert_eq!(waitpid(job.pid, None), Ok(WaitStatus::Exited(job.pid, 3)));
    }

    #[test]
    fn what_cannot_be_executed_says_why() {
        let error = Job::start(Purpose::Pods, &program("/etc/passwd"), &["passwd"], None).expect_err("no program");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
}
