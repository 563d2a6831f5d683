//! What the program gives up once its sockets are open: all capabilities, new privileges, all files and ports
//! (Landlock), all system calls that it does not make (seccomp).

mod calls;
mod files;

use crate::{say, sys};
use std::io;

/// Gives it up. What this kernel cannot do is said; what it refuses to do is an error.
pub fn enter() -> io::Result<()> {
    sys::give_up_capabilities()?;
    nix::sys::prctl::set_no_new_privs()?;
    if !files::close().map_err(|error| io::Error::other(format!("Landlock: {error}")))? {
        say("this kernel has no Landlock, or not all of it: files and ports are less closed than they could be");
    }
    calls::close().map_err(|error| io::Error::other(format!("seccomp: {error}")))
}
