//! `capabilities(7)`.

use nix::libc;
use std::io;

/// `CAP_NET_ADMIN`
pub const NET_ADMIN: u32 = 12;
/// `CAP_SYS_TIME`
pub const SYS_TIME: u32 = 25;
/// More than any kernel has.
const ALL: u32 = 64;
/// `_LINUX_CAPABILITY_VERSION_3`
const VERSION: u32 = 0x2008_0522;

/// Keeps these and gives up all others, for good: no program that this one would start could have them.
pub fn keep(kept: &[u32]) -> io::Result<()> {
    for capability in (0..ALL).filter(|capability| !kept.contains(capability)) {
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
    let mask = kept.iter().fold(0u64, |mask, capability| mask | 1 << capability);
    // Effective, permitted and inheritable of the lower half, then of the upper.
    let data: [u32; 6] = [mask as u32, mask as u32, 0, (mask >> 32) as u32, (mask >> 32) as u32, 0];
    // SAFETY: the kernel reads a header of two numbers and, for this version, six numbers of data.
    if unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
