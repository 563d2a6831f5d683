//! System calls in another process's name, by ptrace.

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, AddressType, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// `syscall`, as two bytes of x86-64.
const SYSCALL: i64 = 0x050f;
/// How far below the stack's end texts are put.
const BELOW: u64 = 16 << 10;
/// How often a process is stopped until it is found in a system call.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Call(i64, Vec<Argument>);

/// What a call is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Argument {
    /// A number.
    Number(i64),
    /// The address of a text.
    Text(String),
    /// What an earlier call gave.
    Result {
        /// Which one.
        result: usize,
    },
}

/// Makes the calls in the process's name, until one fails; what each gave.
pub fn calls(pid: i32, calls: &[Call]) -> io::Result<Vec<i64>> {
    let pid = Pid::from_raw(pid);
    ptrace::seize(pid, Options::empty())?;
    let made = stop_in_call(pid).and_then(|saved| {
        let made = make(pid, &saved, calls);
        ptrace::setregs(pid, saved)?;
        Ok(made?)
    });
    ptrace::detach(pid, None)?;
    made
}

/// Stops it where it waits in a system call: there the instruction is that makes another.
fn stop_in_call(pid: Pid) -> io::Result<user_regs_struct> {
    for _ in 0..TRIES {
        ptrace::interrupt(pid)?;
        waitpid(pid, Some(WaitPidFlag::__WALL))?;
        let registers = ptrace::getregs(pid)?;
        let before = ptrace::read(pid, (registers.rip - 2) as AddressType)?;
        if registers.orig_rax as i64 >= 0 && before & 0xffff == SYSCALL {
            return Ok(registers);
        }
        ptrace::cont(pid, None)?;
        std::thread::sleep(PAUSE);
    }
    Err(io::Error::other("it was never found in a system call"))
}

fn make(pid: Pid, saved: &user_regs_struct, calls: &[Call]) -> nix::Result<Vec<i64>> {
    let mut results = Vec::new();
    let mut free = (saved.rsp - BELOW) & !7;
    for Call(number, arguments) in calls {
        let mut values = [0; 6];
        for (value, argument) in values.iter_mut().zip(arguments) {
            *value = match argument {
                Argument::Number(number) => *number as u64,
                Argument::Text(text) => {
                    let at = free;
                    free += put(pid, at, text)?;
                    at
                }
                Argument::Result { result } => results.get(*result).copied().unwrap_or(-1) as u64,
            };
        }
        let [rdi, rsi, rdx, r10, r8, r9] = values;
        let rip = saved.rip - 2;
        // No call is to be restarted when this one begins.
        let registers =
            user_regs_struct { rax: *number as u64, orig_rax: u64::MAX, rip, rdi, rsi, rdx, r10, r8, r9, ..*saved };
        ptrace::setregs(pid, registers)?;
        ptrace::step(pid, None)?;
        waitpid(pid, Some(WaitPidFlag::__WALL))?;
        let result = ptrace::getregs(pid)?.rax as i64;
        results.push(result);
        if result < 0 {
            break;
        }
    }
    Ok(results)
}

/// Writes a text with its end; the room that it takes.
fn put(pid: Pid, at: u64, text: &str) -> Result<u64, Errno> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize((bytes.len() + 8) & !7, 0);
    for (n, word) in bytes.chunks_exact(8).enumerate() {
        let word = word.iter().rev().fold(0, |word, byte| word << 8 | libc::c_long::from(*byte));
        ptrace::write(pid, (at + 8 * n as u64) as AddressType, word)?;
    }
    Ok(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_in_another_processs_name_which_goes_on() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("a process");
        let pid = child.id() as i32;
        let text: Vec<Call> =
            serde_json::from_str(r#"[[39, []], [2, ["/etc/passwd", 0]], [3, [{"result": 1}]], [3, [-1]]]"#)
                .expect("calls");
        // Containers without the capability do not let anybody trace.
        if let Ok(results) = calls(pid, &text) {
            assert_eq!(results[0], i64::from(pid), "getpid");
            assert!(results[1] >= 0 && results[2] == 0, "open, close: {results:?}");
            assert_eq!(results[3], -i64::from(libc::EBADF));
            assert!(child.try_wait().expect("asked").is_none(), "it sleeps on");
        }
        child.kill().expect("killed");
        child.wait().expect("its end");
    }
}
