//! A process beside PID 1 for what PID 1 does itself: a module, a mount or a sync that hangs in the kernel never returns to
//! the loop with its deadlines. The guard waits on a pipe, and acts when nothing comes out of it in time.

use crate::sys::process::in_child;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// How long each phase may take that PID 1 does itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The guard, until it is dropped. It shares PID 1's memory as long as neither writes to it.
#[derive(Debug)]
pub struct Guard(File);

impl Guard {
    /// Starts it. When nothing new begins for so long, `late` is called in its process with the name of what began last.
    pub fn start(patience: Duration, late: impl FnOnce(&str)) -> io::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        let mut write = Some(File::from(write));
        in_child(|| {
            // Only PID 1 holds the writing end: the pipe ends with the guard's work.
            write = None;
            watch(read.into(), patience, late);
        })?;
        write.map(Guard).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Something begins: the time counts anew.
    pub fn begin(&mut self, name: &str) {
        let _ = self.0.write_all(format!("{name}\n").as_bytes());
    }
}

fn watch(mut read: File, patience: Duration, late: impl FnOnce(&str)) {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let mut name = String::new();
    loop {
        match poll(&mut [PollFd::new(read.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return late(&name),
            Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        let mut bytes = [0; 256];
        match read.read(&mut bytes) {
            Ok(count) if count > 0 => {
                let text = String::from_utf8_lossy(&bytes[..count]);
                name = text.lines().last().unwrap_or_default().to_owned();
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut guard = Guard(write.into());
        guard.begin("mounts");
        guard.begin("state");
        let mut late = String::new();
        watch(read.into(), Duration::from_millis(1), |name| late.push_str(name));
        assert_eq!(late, "state");
    }
}
