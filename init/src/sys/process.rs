//! Starting a program through a descriptor that was opened before anything untrusted ran.

use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid};
use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A program to start.
#[derive(Debug)]
pub struct Program<'a> {
    /// O_PATH descriptor of the file itself.
    pub file: BorrowedFd<'a>,
    /// Arguments, the program's name first.
    pub arguments: &'a [CString],
    /// Environment: nothing is inherited.
    pub environment: &'a [CString],
    /// Standard output and standard error.
    pub output: [BorrowedFd<'a>; 2],
    /// `cgroup.procs` of the group that it starts in.
    pub cgroup: Option<&'a File>,
    /// `oom_score_adj`.
    pub oom_score: Option<i32>,
    /// Soft and hard limit of open files.
    pub open_files: Option<(u64, u64)>,
    /// Capabilities that neither it nor what it starts can have: containerd gives privileged pods
    /// its own set, so this binds them too.
    pub without: &'a [u32],
}

/// Starts a program in a session of its own, all signals unblocked; returns once it runs, or with
/// the reason why it does not.
pub fn spawn(program: &Program<'_>) -> io::Result<Pid> {
    let null = File::open("/dev/null")?;
    let arguments = pointers(program.arguments);
    let environment = pointers(program.environment);
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: PID 1 has one thread, so the child may run any code until it executes the program.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let error = run(program, &null, &arguments, &environment);
            let code = error.raw_os_error().unwrap_or(libc::EIO);
            let _ = File::from(write).write_all(&code.to_le_bytes());
            // SAFETY: ends the child at once, without running the parent's destructors.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            report(read).map(|()| child)
        }
    }
}

/// Runs `work` in a child, which ends with it.
pub fn in_child(work: impl FnOnce()) -> io::Result<Pid> {
    // SAFETY: PID 1 has one thread, so the child may run any code.
    match unsafe { fork() }? {
        ForkResult::Child => {
            work();
            // SAFETY: ends the child at once, without running the parent's destructors.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => Ok(child),
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this status.
    Code(i32),
    /// By the signal of this number, which may be a real-time one.
    Signal(i32),
}

/// Reaps a child that has ended (any, or this one), if there is one. Not with nix, whose `waitpid` has an error for whom a
/// real-time signal killed: the kernel has reaped it by then, and nobody learns which one it was.
pub fn reap(child: Option<Pid>) -> Option<(Pid, End)> {
    let mut status = 0;
    // SAFETY: waitpid writes one int, which outlives the call.
    let pid = unsafe { libc::waitpid(child.map_or(-1, Pid::as_raw), &mut status, libc::WNOHANG) };
    let end = match libc::WIFSIGNALED(status) {
        true => End::Signal(libc::WTERMSIG(status)),
        false => End::Code(libc::WEXITSTATUS(status)),
    };
    (pid > 0).then(|| (Pid::from_raw(pid), end))
}

/// Whether a child is gone, which another part may have reaped already; reaps it.
pub fn has_ended(child: Pid) -> bool {
    !matches!(waitpid(child, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
}

/// In the child: everything up to the execution; returns only on failure.
fn run(program: &Program<'_>, null: &File, arguments: &[*const c_char], environment: &[*const c_char]) -> io::Error {
    if let Err(error) = prepare(program, null) {
        return error;
    }
    // SAFETY: both arrays end with a null pointer, their strings and the empty path live on.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

fn prepare(program: &Program<'_>, null: &File) -> io::Result<()> {
    setsid()?;
    dup2_stdin(null)?;
    dup2_stdout(program.output[0])?;
    dup2_stderr(program.output[1])?;
    if let Some(mut group) = program.cgroup {
        group.write_all(b"0")?;
    }
    if let Some(score) = program.oom_score {
        std::fs::write("/proc/self/oom_score_adj", score.to_string())?;
    }
    if let Some((soft, hard)) = program.open_files {
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    }
    super::capability::bound(program.without)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Reads the child's error number; an empty pipe means that the program runs.
fn report(read: OwnedFd) -> io::Result<()> {
    let mut code = [0u8; 4];
    match File::from(read).read_exact(&mut code) {
        Ok(()) => Err(io::Error::from_raw_os_error(i32::from_le_bytes(code))),
        Err(_) => Ok(()),
    }
}

/// Replaces PID 1 by the program behind a descriptor; returns only on failure.
pub fn replace(file: BorrowedFd<'_>, arguments: &[CString]) -> io::Error {
    let arguments = pointers(arguments);
    let environment = pointers(&[]);
    // SAFETY: both arrays end with a null pointer, their strings and the empty path live on.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_fd().as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    /// Reaps a child once it has ended.
    fn reaped(mut child: Child) -> Option<End> {
        let pid = Pid::from_raw(child.id() as i32);
        // SAFETY: a siginfo of zeros is one; waitid writes it, and leaves the child to be reaped.
        let waited = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, child.id(), &mut info, libc::WEXITED | libc::WNOWAIT)
        };
        assert_eq!(waited, 0, "it ends");
        let end = reap(Some(pid));
        assert_eq!(reap(Some(pid)), None, "it is reaped once");
        assert!(child.wait().is_err(), "nobody else can reap it");
        end.map(|(of, end)| {
            assert_eq!(of, pid);
            end
        })
    }

    #[test]
    fn a_child_is_reaped_whatever_signal_killed_it() {
        for number in [libc::SIGKILL, libc::SIGRTMIN() + 1, libc::SIGRTMAX()] {
            let child = Command::new("sleep").arg("600").spawn().expect("a process");
            let pid = child.id() as i32;
            assert_eq!(reap(Some(Pid::from_raw(pid))), None, "it runs");
            // SAFETY: kill takes numbers only, and the child is there until it is reaped.
            assert_eq!(unsafe { libc::kill(pid, number) }, 0);
            assert_eq!(reaped(child), Some(End::Signal(number)));
        }
    }

    #[test]
    fn one_that_ends_by_itself_has_its_status() {
        let child = Command::new("sh").args(["-c", "exit 3"]).spawn().expect("a process");
        assert_eq!(reaped(child), Some(End::Code(3)));
    }
}
