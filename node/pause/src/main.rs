//! The pause container's one program. It holds a pod's namespaces open, reaps what the pod orphans (it is PID 1 of
//! the pod's process namespace), and ends on SIGTERM or SIGINT.
//!
//! A few kilobytes on the node, where the profile aborts on panic: then it is built without the standard library.
//! Under a profile that unwinds (the host's checks and tests) the same code is an ordinary program with `std`,
//! because the unwinder's entry points would be missing otherwise.

#![no_main]
#![cfg_attr(panic = "abort", no_std)]

mod sys;

use core::ffi::c_int;

/// Waits for signals until one asks for the end; the C runtime's entry point calls it as `main`.
fn pause() -> c_int {
    let awaited = match sys::block_awaited() {
        Some(awaited) => awaited,
        None => return 1,
    };
    // A child that ended before the signals were blocked sent a SIGCHLD that nobody will see.
    sys::reap_all();
    loop {
        match sys::wait(&awaited) {
            sys::Event::ChildEnded => sys::reap_all(),
            sys::Event::AskedToEnd => return 0,
            sys::Event::Interrupted => {}
        }
    }
}
