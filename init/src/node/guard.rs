//! A process beside PID 1 for what PID 1 does itself: a module, a mount or a sync that hangs in the kernel never returns to
//! the loop with its deadlines. The guard waits on a pipe, and acts when nothing comes out of it in time.

use crate::sys::process::{has_ended, in_child};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pipe2};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// How long each phase may take that PID 1 does itself.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The guard counts its patience in so many parts. Where the whole machine stands still (paused, migrated) the clock may go
/// on: one part is over then, and PID 1 has the others to say something.
const PARTS: u32 = 5;

/// The guard, until it is dropped. It shares PID 1's memory as long as neither writes to it.
#[derive(Debug)]
pub struct Guard {
    feed: File,
    pid: Pid,
}

impl Guard {
    /// Starts it. When nothing new begins for so long, `late` is called in its process with the name of what began last.
    pub fn start(patience: Duration, late: impl FnOnce(&str)) -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        // A guard that somebody stopped (`SIGSTOP`) empties no pipe: PID 1 must not wait until it does.
        fcntl(&write, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut write = Some(File::from(write));
        let pid = in_child(|| {
            // Only PID 1 holds the writing end: the pipe ends with the guard's work.
            write = None;
            watch(read.into(), patience, late);
        })?;
        let feed = write.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Guard { feed, pid })
    }

    /// Something begins, or goes on: the time counts anew.
    pub fn begin(&mut self, name: &str) {
        let _ = self.feed.write_all(format!("{name}\n").as_bytes());
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether its process is there: who kills all processes kills it too.
    pub fn watches(&self) -> bool {
        !has_ended(self.pid)
    }

    /// Ends it and waits for its end. Until then it holds open whatever PID 1 had open when it started.
    pub fn end(self) {
        // The number of one that is reaped may be another's by now.
        if self.watches() {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

fn watch(mut read: File, patience: Duration, late: impl FnOnce(&str)) {
    let timeout = PollTimeout::try_from(patience / PARTS).unwrap_or(PollTimeout::MAX);
    let (mut name, mut silent) = (String::new(), 0);
    loop {
        match poll(&mut [PollFd::new(read.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => {
                silent += 1;
                if silent == PARTS {
                    return late(&name);
                }
                continue;
            }
            Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        let mut bytes = [0; 256];
        match read.read(&mut bytes) {
            Ok(count) if count > 0 => {
                let text = String::from_utf8_lossy(&bytes[..count]);
                name = text.lines().last().unwrap_or_default().to_owned();
                silent = 0;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitPidFlag, WaitStatus};

    /// What a guard's process says until it ends. It is told nothing.
    fn said(patience: Duration, ends: bool) -> String {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let mut write = Some(File::from(write));
        let guard = Guard::start(patience, |name| {
            let _ = write.as_ref().map(|mut write| write.write_all(format!("late {name}").as_bytes()));
        });
        let guard = guard.expect("a guard");
        write = None;
        let guard = (!ends).then_some(guard);
        let mut text = String::new();
        File::from(read).read_to_string(&mut text).expect("what it says until it ends");
        drop((guard, write));
        text
    }

    #[test]
    fn another_process_acts_when_this_one_hangs() {
        assert_eq!(said(Duration::ZERO, false), "late ");
    }

    #[test]
    fn and_ends_when_this_one_is_done() {
        assert_eq!(said(Duration::from_secs(600), true), "");
    }

    #[test]
    fn what_began_last_is_named() {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let mut guard = Guard { feed: write.into(), pid: Pid::this() };
        guard.begin("mounts");
        guard.begin("state");
        let mut late = String::new();
        watch(read.into(), Duration::from_millis(1), |name| late.push_str(name));
        assert_eq!(late, "state");
    }

    #[test]
    fn one_that_was_killed_is_known_for_it_and_ends_once() {
        let guard = Guard::start(Duration::from_secs(600), |_| ()).expect("a guard");
        assert!(guard.watches());
        kill(guard.pid(), Signal::SIGKILL).expect("killed");
        assert!(waitpid(guard.pid(), None).is_ok(), "as the loop reaps it");
        assert!(!guard.watches());
        guard.end();
    }

    /// What it holds open keeps a mount busy: it is to be gone when PID 1 goes on.
    #[test]
    fn who_ends_it_finds_closed_what_it_held_open() {
        let (read, write) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let guard = Guard::start(Duration::from_secs(600), |_| ()).expect("a guard");
        drop(write);
        guard.end();
        let mut text = String::new();
        assert_eq!(File::from(read).read_to_string(&mut text).expect("the pipe's end"), 0);
    }

    /// Its reader is stopped: `begin` comes back all the same, however often it is called.
    #[test]
    fn one_that_hears_nothing_holds_nobody_up() {
        let mut guard = Guard::start(Duration::from_secs(600), |_| ()).expect("a guard");
        kill(guard.pid(), Signal::SIGSTOP).expect("stopped");
        let stopped = waitpid(guard.pid(), Some(WaitPidFlag::WUNTRACED)).expect("its stop");
        assert!(matches!(stopped, WaitStatus::Stopped(..)));
        (0..20_000).for_each(|_| guard.begin("containers"));
        assert!(guard.watches());
        guard.end();
    }
}
