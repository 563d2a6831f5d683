//! What needs unsafe code: `capabilities(7)`.
#![allow(unsafe_code)]

use nix::libc;
use std::io;

/// More than any kernel has.
const ALL: u32 = 64;
/// `_LINUX_CAPABILITY_VERSION_3`
const VERSION: u32 = 0x2008_0522;

/// Gives up all capabilities, for good: no program that this one would start could have any.
pub fn give_up_capabilities() -> io::Result<()> {
    for capability in 0..ALL {
        // SAFETY: the call takes numbers.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
        let error = io::Error::last_os_error();
        // What this kernel does not have is an invalid argument.
        if answer < 0 && error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    // SAFETY: the call takes numbers.
    if unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let header: [u32; 2] = [VERSION, 0];
    let none = [0u32; 6];
    // SAFETY: the kernel reads a header of two numbers and, for this version, six numbers of data.
    if unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Who this program is: root, on a node.
#[must_use]
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}
