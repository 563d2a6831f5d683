//! What needs unsafe code, or the kernel's clock and chance.
#![allow(unsafe_code)]

pub mod capabilities;
pub mod clock;

use crate::time::{Millis, Tick};
use nix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _};

/// Time since the machine's start, sleep included.
pub fn now() -> Millis {
    // The clock is there since Linux 2.6.39.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(std::time::Duration::from).unwrap_or_default();
    Millis(time.as_millis().try_into().unwrap_or(u64::MAX))
}

/// Now, with a random number.
pub fn tick() -> io::Result<Tick> {
    Ok(Tick { now: now(), random: getrandom::u32().map_err(|error| io::Error::other(error.to_string()))? })
}

/// The pipe that a number is, if it is one: taken by this program, which nobody else may do after it.
pub fn inherited_pipe(number: i32) -> Option<File> {
    use nix::sys::stat::{SFlag, fstat};
    // SAFETY: the number is only looked at; if it is none, the call says so.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let kind = SFlag::from_bits_truncate(fstat(borrowed).ok()?.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFIFO {
        return None;
    }
    nix::fcntl::fcntl(borrowed, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).ok()?;
    // SAFETY: it is open, `main` asks for it before anything else opens files, and once.
    let pipe = unsafe { File::from_raw_fd(borrowed.as_raw_fd()) };
    Some(pipe)
}
