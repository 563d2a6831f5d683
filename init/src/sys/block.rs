//! ioctls of block devices and of ext4 (`include/uapi/linux/{fs,blkpg}.h`, `fs/ext4/ext4.h`).

use super::check;
use nix::libc;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

const BLKFLSBUF: u64 = 0x1261;
const BLKSSZGET: u64 = 0x1268;
const BLKPG: u64 = 0x1269;
const BLKZEROOUT: u64 = 0x127f;
const BLKGETSIZE64: u64 = 0x8008_1272;
const BLKPG_RESIZE_PARTITION: i32 = 3;
/// `_IOW('f', 16, __u64)`
const EXT4_IOC_RESIZE_FS: u64 = 0x4008_6610;

/// `struct blkpg_partition`
#[repr(C)]
struct Partition {
    start: i64,
    length: i64,
    number: i32,
    device_name: [u8; 64],
    volume_name: [u8; 64],
}

/// `struct blkpg_ioctl_arg`
#[repr(C)]
struct PartitionCall {
    operation: i32,
    flags: i32,
    length: i32,
    data: *mut Partition,
}

/// Size of a block device in bytes.
pub fn size(device: &File) -> io::Result<u64> {
    let mut bytes = 0u64;
    // SAFETY: BLKGETSIZE64 writes one u64 to the pointer, which outlives the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), BLKGETSIZE64 as _, &mut bytes) }.into())?;
    Ok(bytes)
}

/// Bytes of a logical sector.
pub fn sector_size(device: &File) -> io::Result<u64> {
    let mut bytes = 0i32;
    // SAFETY: BLKSSZGET writes one int to the pointer, which outlives the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), BLKSSZGET as _, &mut bytes) }.into())?;
    Ok(u64::from(bytes.unsigned_abs()))
}

/// Drops the device's clean buffers, so that another view of the same disk (the whole device, a
/// partition) reads what was written, not what was cached.
pub fn flush_buffers(device: &File) -> io::Result<()> {
    // SAFETY: BLKFLSBUF takes no argument.
    check(unsafe { libc::ioctl(device.as_raw_fd(), BLKFLSBUF as _, 0) }.into()).map(drop)
}

/// Zeroes a range; by the device itself where it can.
pub fn zero(device: &File, offset: u64, length: u64) -> io::Result<()> {
    let range = [offset, length];
    // SAFETY: BLKZEROOUT reads two u64 from the pointer, which outlives the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), BLKZEROOUT as _, range.as_ptr()) }.into()).map(drop)
}

/// Tells the kernel the new length of a partition whose start stays; works while it is mounted.
pub fn resize_partition(disk: &File, number: u32, start: u64, length: u64) -> io::Result<()> {
    let mut partition = Partition {
        start: start as i64,
        length: length as i64,
        number: number as i32,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let call = PartitionCall {
        operation: BLKPG_RESIZE_PARTITION,
        flags: 0,
        length: size_of::<Partition>() as i32,
        data: &mut partition,
    };
    // SAFETY: both structures have the kernel's layout (repr(C)) and outlive the call.
    check(unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG as _, &call) }.into()).map(drop)
}

/// Grows a mounted ext4 to so many blocks.
pub fn resize_ext4(mount_point: &File, blocks: u64) -> io::Result<()> {
    // SAFETY: EXT4_IOC_RESIZE_FS reads one u64 from the pointer, which outlives the call.
    check(unsafe { libc::ioctl(mount_point.as_raw_fd(), EXT4_IOC_RESIZE_FS as _, &blocks) }.into()).map(drop)
}
