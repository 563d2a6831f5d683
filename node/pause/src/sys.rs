//! The four calls that `pause` makes, and the entry point: the only unsafe code of this program.
#![allow(unsafe_code)]

use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr;

// Without `std` nobody else names the C library, which is the toolchain's own `libc.a`.
// SAFETY: it declares nothing.
#[cfg(panic = "abort")]
#[cfg_attr(target_feature = "crt-static", link(name = "c", kind = "static", modifiers = "-bundle"))]
#[cfg_attr(not(target_feature = "crt-static"), link(name = "c"))]
unsafe extern "C" {}

/// Why [`wait`] came back.
pub enum Event {
    /// At least one child may be reaped.
    ChildEnded,
    /// SIGTERM or SIGINT.
    AskedToEnd,
    /// Something else, such as being traced: wait again.
    Interrupted,
}

/// The signals that are blocked and waited for.
pub struct Awaited(libc::sigset_t);

/// Blocks the awaited signals. No handlers: the kernel keeps blocked signals even for PID 1, which it would
/// otherwise spare every signal that has its default action.
pub fn block_awaited() -> Option<Awaited> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set before anything reads it; the numbers are valid signals.
    let set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        set.assume_init()
    };
    // SAFETY: the set is initialised, and no old mask is asked for.
    let blocked = unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) } == 0;
    blocked.then_some(Awaited(set))
}

/// Sleeps until one of the awaited signals is there.
pub fn wait(awaited: &Awaited) -> Event {
    // SAFETY: the set is initialised, and a null pointer says that the details are not wanted.
    match unsafe { libc::sigwaitinfo(&awaited.0, ptr::null_mut()) } {
        libc::SIGCHLD => Event::ChildEnded,
        libc::SIGTERM | libc::SIGINT => Event::AskedToEnd,
        _ => Event::Interrupted,
    }
}

/// Reaps every child that has ended: signals are not counted, so one SIGCHLD may stand for many.
pub fn reap_all() {
    // SAFETY: a null status pointer is allowed; WNOHANG never blocks.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

// SAFETY: the C runtime calls exactly one function of this name and signature, and nothing else in this program
// has the name.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    crate::pause()
}

/// Nothing here panics; what the language demands is an abort.
#[cfg(panic = "abort")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: `abort` has no preconditions.
    unsafe { libc::abort() }
}
