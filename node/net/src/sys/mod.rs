//! What needs unsafe code, or the kernel's clock and chance.
#![allow(unsafe_code)]

pub mod capabilities;
pub mod clock;

use crate::time::{Millis, Tick};
use nix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Time since the machine's start, sleep included.
pub fn now() -> Millis {
    Millis(since_start().as_millis().try_into().unwrap_or(u64::MAX))
}

/// The same in nanoseconds: an answer on a near wire comes within the millisecond of its question.
pub fn nanoseconds() -> i64 {
    since_start().as_nanos().try_into().unwrap_or(i64::MAX)
}

fn since_start() -> Duration {
    // The clock is there since Linux 2.6.39.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Now, with a random number.
pub fn tick() -> io::Result<Tick> {
    Ok(Tick { now: now(), random: getrandom::u32().map_err(|error| io::Error::other(error.to_string()))? })
}

/// The pipe that PID 1 waits at, if it does: then it says so, and reads what is written to the standard output.
pub fn handed_pipe() -> io::Result<Option<File>> {
    if std::env::var_os(orlop_config::node::READS_STDOUT).is_none() {
        return Ok(None);
    }
    let pipe = io::stdout().as_fd().try_clone_to_owned()?;
    // Its end is heard when this program closes the one that it keeps.
    nix::unistd::dup2_stdout(io::stderr())?;
    Ok(Some(pipe.into()))
}
