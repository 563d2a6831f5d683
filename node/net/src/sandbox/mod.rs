//! What the program gives up once its sockets are open: all capabilities but two, new privileges, files and TCP ports that
//! it does not need (Landlock), system calls that it does not make (seccomp). Each holds for the threads that come later.

mod calls;
mod files;

use crate::log::Log;
use crate::sys::capabilities;
use std::io;
use std::path::{Path, PathBuf};

/// What stays open.
#[derive(Debug)]
pub struct Open<'a> {
    /// The program's folder, which it writes.
    pub run: &'a Path,
    /// What it reads, below these.
    pub read: Vec<PathBuf>,
    /// Settings of the kernel that it writes.
    pub settings: &'a Path,
}

/// Gives up all else. What this kernel cannot do is said; what it refuses to do is an error.
pub fn enter(open: &Open<'_>, log: &mut Log) -> io::Result<()> {
    capabilities::keep(&[capabilities::NET_ADMIN, capabilities::SYS_TIME])?;
    nix::sys::prctl::set_no_new_privs()?;
    if !files::close(open).map_err(|error| io::Error::other(format!("Landlock: {error}")))? {
        log.say(
            "sandbox",
            "this kernel has no Landlock, or not all of it: files and ports are less closed than they could be",
        );
    }
    calls::close().map_err(|error| io::Error::other(format!("seccomp: {error}")))
}
