//! The program itself: it ends on the two signals, and reaps what becomes its child.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn start() -> Child {
    Command::new(env!("CARGO_BIN_EXE_pause")).spawn().expect("pause starts")
}

/// Waits until the process sleeps in `sigwaitinfo`, which it does only once its signals are blocked.
fn await_waiting(pid: u32) {
    await_true(|| {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).expect("a running process");
        let number = call.split(' ').next().and_then(|number| number.parse().ok());
        number == Some(libc::SYS_rt_sigtimedwait)
    });
}

fn await_true(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "deadline of 20 s passed");
        std::thread::yield_now();
    }
}

fn ends_on(signal: Signal) {
    let mut child = start();
    await_waiting(child.id());
    kill(Pid::from_raw(child.id() as i32), signal).expect("signal sent");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn ends_on_sigterm() {
    ends_on(Signal::SIGTERM);
}

#[test]
fn ends_on_sigint() {
    ends_on(Signal::SIGINT);
}

#[test]
fn reaps_what_becomes_its_child() {
    let mut child = Command::new("sh")
        .args(["-c", "true & true & exec \"$0\"", env!("CARGO_BIN_EXE_pause")])
        .spawn()
        .expect("sh starts");
    let pid = child.id();
    await_true(|| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let program = fs::read_to_string(format!("/proc/{pid}/comm"));
        program.expect("a running process") == "pause\n" && children.expect("its children").is_empty()
    });
    kill(Pid::from_raw(pid as i32), Signal::SIGTERM).expect("signal sent");
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}
