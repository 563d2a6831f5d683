//! The only unsafe code of PID 1: ioctls and system calls behind small safe functions.
#![allow(unsafe_code)]

pub mod block;
pub mod capability;
pub mod devmapper;
pub mod keyring;
pub mod loopback;
pub mod loopdev;
pub mod module;
pub mod process;
pub mod watchdog;

use std::io;

/// Turns the return value of a raw system call or ioctl into a result.
fn check(value: i64) -> io::Result<i64> {
    if value < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}
