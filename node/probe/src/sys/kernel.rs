//! System calls that no library has, because hardly a program should make them.
#![allow(unsafe_code)]

use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `MODULE_INIT_COMPRESSED_FILE`
const COMPRESSED: libc::c_int = 4;
/// `KEXEC_FILE_NO_INITRAMFS`
const NO_INITRAMFS: libc::c_ulong = 4;
/// `sizeof(struct io_uring_params)`
const IO_URING_PARAMETERS: usize = 120;

fn answer(status: libc::c_long) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Loads a module from a file.
pub fn load_module(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the kernel reads an empty string and the file.
    answer(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), COMPRESSED) })
}

/// Loads a module from memory.
pub fn load_module_bytes(bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads the bytes and an empty string.
    answer(unsafe { libc::syscall(libc::SYS_init_module, bytes.as_ptr(), bytes.len(), c"".as_ptr()) })
}

/// Asks for another kernel in place of this one, of no segments.
pub fn kexec() -> io::Result<()> {
    // SAFETY: no segments are read.
    answer(unsafe { libc::syscall(libc::SYS_kexec_load, 0, 0, std::ptr::null::<u8>(), 0) })
}

/// The same from a file.
pub fn kexec_file(kernel: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the kernel reads the file and an empty string with its end.
    answer(unsafe { libc::syscall(libc::SYS_kexec_file_load, kernel.as_raw_fd(), -1, 1, c"".as_ptr(), NO_INITRAMFS) })
}

/// Makes an io_uring, which is gone when this process ends.
pub fn io_uring() -> io::Result<()> {
    let mut parameters = [0u8; IO_URING_PARAMETERS];
    // SAFETY: the kernel reads and writes one `io_uring_params`, for which there is room.
    answer(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) })
}
