//! Code that a program makes while it runs, as a JIT compiler does.
#![allow(unsafe_code)]

use nix::libc::{self, MAP_ANONYMOUS, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};
use std::io;

/// `mov eax, 42; ret`
const CODE: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];
const LENGTH: usize = 4096;

/// Runs code in memory that is writable and executable at once, or that was writable before; what it returned.
pub fn run_made_code(at_once: bool) -> io::Result<i32> {
    let protection = PROT_READ | PROT_WRITE | if at_once { PROT_EXEC } else { 0 };
    // SAFETY: a new mapping, of nothing that anybody else holds.
    let place = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
    if place == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is writable and longer than the code.
    unsafe { std::ptr::copy_nonoverlapping(CODE.as_ptr(), place.cast(), CODE.len()) };
    // SAFETY: the mapping is this function's own.
    if !at_once && unsafe { libc::mprotect(place, LENGTH, PROT_READ | PROT_EXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the code above is a function of the C convention that takes nothing and returns an integer.
    let function = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> i32>(place) };
    Ok(function())
}
