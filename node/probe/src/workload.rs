//! What ordinary programs do that a hardened host might forbid: each as its own answer.

use crate::sys::{kernel, memory};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::Command;

/// The word that this program is started with to say these things in a pod of its own.
pub const WORKLOAD: &str = "workload";
/// To make a user namespace and end.
pub const USER_NAMESPACE: &str = "user-namespace";
/// To do nothing and end.
pub const NOTHING: &str = "nothing";

/// All of them: what it gave, or the error's number.
pub fn all() -> Value {
    json!({
        "uid_map": fs::read_to_string("/proc/self/uid_map").map(|map| map.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default(),
        "jit": told(memory::run_made_code(true)),
        "jit_protected": told(memory::run_made_code(false)),
        "memfd": told(memfd()),
        "user_namespace": told(own(USER_NAMESPACE)),
        "io_uring": told(kernel::io_uring().map(|()| 0)),
    })
}

fn told(result: io::Result<i32>) -> Value {
    match result {
        Ok(value) => json!(value),
        Err(error) => error.raw_os_error().map_or_else(|| json!(error.to_string()), |errno| json!({"errno": errno})),
    }
}

/// Runs this program from memory that no file system has a name for.
fn memfd() -> io::Result<i32> {
    let mut memory = File::from(memfd_create(c"program", MFdFlags::empty())?);
    memory.write_all(&fs::read("/proc/self/exe")?)?;
    // A file that is open for writing is not run.
    let readable = File::open(format!("/proc/self/fd/{}", memory.as_raw_fd()))?;
    drop(memory);
    fcntl(&readable, FcntlArg::F_SETFD(FdFlag::empty()))?;
    run(Command::new(format!("/proc/self/fd/{}", readable.as_raw_fd())).arg(NOTHING))
}

fn own(word: &str) -> io::Result<i32> {
    run(Command::new("/proc/self/exe").arg(word))
}

/// Its exit status; one of ours is an error's number.
fn run(command: &mut Command) -> io::Result<i32> {
    match command.status()?.code() {
        Some(0) => Ok(0),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Err(io::Error::other("killed")),
    }
}

/// Exit status: the error's number.
pub fn user_namespace() -> u8 {
    unshare(CloneFlags::CLONE_NEWUSER).map_or_else(|errno| errno as i32 as u8, |()| 0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_answers_each() {
        let told = super::all();
        assert_eq!((&told["jit"], &told["jit_protected"]), (&42.into(), &42.into()), "{told}");
    }
}
