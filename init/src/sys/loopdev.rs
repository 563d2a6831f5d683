//! Loop devices (`include/uapi/linux/loop.h`): a file seen as a block device.

use super::check;
use nix::libc;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const LOOP_CLR_FD: u64 = 0x4c01;
const LOOP_CONFIGURE: u64 = 0x4c0a;
const LOOP_CTL_GET_FREE: u64 = 0x4c82;
const LO_FLAGS_READ_ONLY: u32 = 1;
/// `LO_NAME_SIZE`
const NAME_SIZE: usize = 64;

/// `struct loop_info64`
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; NAME_SIZE],
    crypt_name: [u8; NAME_SIZE],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// The first device that nothing is attached to; somebody else may take it before the caller does.
pub fn free() -> io::Result<PathBuf> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns the device's number.
    let number = check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) }.into())?;
    Ok(PathBuf::from(format!("/dev/loop{number}")))
}

/// Attaches the file, read-only where it cannot be written; `false` where somebody else took the device.
pub fn attach(device: &Path, file: &Path) -> io::Result<bool> {
    let (backing, flags) = match OpenOptions::new().read(true).write(true).open(file) {
        Ok(backing) => (backing, 0),
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            (File::open(file)?, LO_FLAGS_READ_ONLY)
        }
        Err(error) => return Err(error),
    };
    let config = Config {
        fd: backing.as_raw_fd().unsigned_abs(),
        block_size: 0,
        info: info(file.as_os_str(), flags),
        reserved: [0; 8],
    };
    let device = OpenOptions::new().read(true).write(flags == 0).open(device)?;
    // SAFETY: LOOP_CONFIGURE reads one `loop_config` from the pointer, which outlives the call.
    match check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE as _, &config) }.into()) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(false),
        Err(error) => Err(error),
    }
}

fn info(name: &OsStr, flags: u32) -> Info {
    let mut file_name = [0; NAME_SIZE];
    // Cut off like losetup(8) does, with a last NUL; sysfs tells the whole path anyway.
    for (to, from) in file_name.iter_mut().take(NAME_SIZE - 1).zip(name.as_bytes()) {
        *to = *from;
    }
    Info {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags,
        file_name,
        crypt_name: [0; NAME_SIZE],
        encrypt_key: [0; 32],
        init: [0; 2],
    }
}

/// Detaches what is behind the device; the kernel does it when the last user closes it.
pub fn detach(device: &Path) -> io::Result<()> {
    let device = File::open(device)?;
    // SAFETY: LOOP_CLR_FD takes no argument.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CLR_FD as _) }.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<Info>(), 232);
        assert_eq!(size_of::<Config>(), 304);
    }
}
