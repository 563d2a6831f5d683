//! A program that runs once: its lines, its end.

use super::backoff::Backoff;
use super::lines::LinePipe;
use crate::sys::capability;
use crate::sys::process::{Program, spawn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Import a preload archive.
    Import,
    /// Load the drivers of the devices that are there.
    Devices,
    /// Load the modules that nothing waits for.
    Modules,
    /// Move what a crash left in the firmware to the state.
    Records,
    /// Wait for the static pods.
    Pods,
    /// Stop all containers.
    StopAll,
}

impl Purpose {
    /// How long such a job may take: far more than it does, so that only one that hangs is killed. The wait for pods ends
    /// with them.
    fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Purpose::Import | Purpose::Devices | Purpose::Modules | Purpose::Records => 600,
            Purpose::Pods => 3600,
            Purpose::StopAll => 90,
        })
    }

    /// Capabilities that such a job cannot have.
    fn without(self) -> &'static [u32] {
        match self {
            Purpose::Devices | Purpose::Modules => capability::CLOSED_FOR_MODULES,
            Purpose::Import | Purpose::Records | Purpose::Pods | Purpose::StopAll => capability::CLOSED,
        }
    }
}

/// What is to be done, as often as it takes.
#[derive(Debug, Clone)]
pub struct Task {
    /// What for.
    pub purpose: Purpose,
    /// Arguments, the program's name first.
    pub arguments: Vec<String>,
    /// What its last try ended with, if it ended by itself.
    pub last: Option<i32>,
    /// Of its tries.
    pub(super) backoff: Backoff,
}

impl Task {
    /// A task that was not tried yet.
    pub fn new(purpose: Purpose, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Task { purpose, arguments, last: None, backoff: Backoff::default() }
    }
}

/// A running job.
#[derive(Debug)]
pub struct Job {
    /// What it does.
    pub task: Task,
    /// Its process.
    pub pid: Pid,
    since: Instant,
    deadline: Instant,
    killed: bool,
    pipe: LinePipe,
    open: bool,
    last: String,
}

impl Job {
    /// Starts a program of the verified root.
    pub fn start(task: Task, file: &OwnedFd) -> io::Result<Self> {
        let (pipe, write) = LinePipe::new()?;
        let arguments: Vec<CString> =
            task.arguments.iter().map(|argument| CString::new(argument.as_str())).collect::<Result<_, _>>()?;
        let environment = [c"PATH=/usr/bin".to_owned()];
        let output = write.as_fd();
        let program = Program {
            file: file.as_fd(),
            arguments: &arguments,
            environment: &environment,
            output: [output, output],
            cgroup: None,
            oom_score: None,
            open_files: None,
            without: task.purpose.without(),
        };
        let pid = spawn(&program)?;
        let since = Instant::now();
        let deadline = since + task.purpose.patience();
        Ok(Job { task, pid, since, deadline, killed: false, pipe, open: true, last: String::new() })
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

    /// How long it has run.
    pub fn run(&self) -> Duration {
        self.since.elapsed()
    }

    /// Kills it when its time is up.
    pub fn tick(&mut self, now: Instant) {
        if !self.killed && self.deadline <= now {
            self.killed = true;
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }

    /// Why it failed: its last line, and whether it was killed.
    pub fn reason(&self) -> String {
        match self.killed {
            true => format!("killed after {} s; {}", self.task.purpose.patience().as_secs(), self.last),
            false => self.last.clone(),
        }
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
        let mut job = Job::start(Task::new(Purpose::Pods, &script), &program("/bin/sh")).expect("started");
        let mut lines = Vec::new();
        while job.open() {
            poll(&mut [PollFd::new(job.fd(), PollFlags::POLLIN)], PollTimeout::NONE).expect("polled");
            job.lines(&mut lines);
        }
        assert_eq!(lines, ["one", "/usr/bin", "why"]);
        assert_eq!(job.reason(), "why");
        assert_eq!(waitpid(job.pid, None), Ok(WaitStatus::Exited(job.pid, 3)));
    }

    #[test]
    fn what_cannot_be_executed_says_why() {
        let task = Task::new(Purpose::Pods, &["passwd"]);
        let error = Job::start(task, &program("/etc/passwd")).expect_err("no program");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
    #[test]
    fn a_job_that_hangs_is_killed_at_its_deadline() {
        let task = Task::new(Purpose::StopAll, &["sleep", "1000"]);
        let mut job = Job::start(task, &program("/bin/sleep")).expect("started");
        job.tick(Instant::now());
        assert!(!job.killed, "its time is not up");
        job.tick(job.deadline);
        assert_eq!(waitpid(job.pid, None), Ok(WaitStatus::Signaled(job.pid, Signal::SIGKILL, false)));
        assert!(job.reason().starts_with("killed after 90 s"));
    }
}
