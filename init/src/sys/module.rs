//! Loading of kernel modules, `finit_module(2)`.

use super::check;
use nix::libc;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The kernel unpacks the `.ko.xz` itself (`include/uapi/linux/module.h`): no kmod, and the
/// signature that is checked is the file's own.
const MODULE_INIT_COMPRESSED_FILE: i32 = 4;

/// Loads one compressed module; one that is already there counts as loaded.
pub fn load(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call, the parameter string is a static C string.
    let value =
        unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), MODULE_INIT_COMPRESSED_FILE) };
    match check(value) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        other => other.map(drop),
    }
}
