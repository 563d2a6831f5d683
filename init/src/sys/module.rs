//! Loading of kernel modules, `finit_module(2)`.

use super::check;
use nix::libc;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The kernel unpacks the `.ko.xz` itself (`include/uapi/linux/module.h`): no kmod, and the
/// signature that is checked is the file's own.
const MODULE_INIT_COMPRESSED_FILE: i32 = 4;

/// Loads one compressed module; one that is already there counts as loaded.
pub fn load(file: &File, parameters: &CStr) -> io::Result<()> {
    // SAFETY: the descriptor is open for the whole call, the parameters end with NUL.
    let value = unsafe {
        libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), parameters.as_ptr(), MODULE_INIT_COMPRESSED_FILE)
    };
    match check(value) {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        other => other.map(drop),
    }
}
