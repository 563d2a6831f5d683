//! Device mapper: as many of its ioctls as one read-only verity device needs
//! (`include/uapi/linux/dm-ioctl.h`).

use super::check;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

const DM_DEV_CREATE: u64 = 0xc138_fd03;
const DM_DEV_SUSPEND: u64 = 0xc138_fd06;
const DM_TABLE_LOAD: u64 = 0xc138_fd09;
const DM_READONLY_FLAG: u32 = 1;
/// The whole argument: `struct dm_ioctl` (312 bytes: its `data[7]` and padding are inside), then the table.
const HEADER: usize = 312;
const TARGET: usize = 40;

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// 512-byte sectors that it maps.
    pub sectors: u64,
    /// Kind, such as `verity`.
    pub kind: &'a str,
    /// Its parameters.
    pub parameters: &'a str,
}

/// Makes a read-only device with one target and starts it; its minor number.
pub fn create_read_only(name: &str, uuid: &str, target: &Target<'_>) -> io::Result<u32> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/mapper/control")?;
    let created = call(&control, DM_DEV_CREATE, &argument(name, uuid, 0, None))?;
    call(&control, DM_TABLE_LOAD, &argument(name, "", DM_READONLY_FLAG, Some(target)))?;
    // "Suspend" without its flag means resume: the loaded table becomes the live one.
    call(&control, DM_DEV_SUSPEND, &argument(name, "", DM_READONLY_FLAG, None))?;
    let device = u64::from_le_bytes(created[40..48].try_into().expect("eight bytes"));
    // `huge_encode_dev`: minor in bits 0–7 and 20–31.
    Ok(((device & 0xff) | ((device >> 12) & 0xfff00)) as u32)
}

/// The bytes of one call.
fn argument(name: &str, uuid: &str, flags: u32, target: Option<&Target<'_>>) -> Vec<u8> {
    let mut bytes = vec![0u8; HEADER];
    bytes[0..4].copy_from_slice(&4u32.to_le_bytes()); // version 4.0.0
    bytes[16..20].copy_from_slice(&(HEADER as u32).to_le_bytes()); // data_start
    bytes[20..24].copy_from_slice(&u32::from(target.is_some()).to_le_bytes()); // target_count
    bytes[28..32].copy_from_slice(&flags.to_le_bytes());
    bytes[48..48 + name.len()].copy_from_slice(name.as_bytes());
    bytes[176..176 + uuid.len()].copy_from_slice(uuid.as_bytes());
    if let Some(target) = target {
        let mut spec = [0u8; TARGET];
        spec[8..16].copy_from_slice(&target.sectors.to_le_bytes());
        spec[24..24 + target.kind.len()].copy_from_slice(target.kind.as_bytes());
        let length = (TARGET + target.parameters.len() + 1).next_multiple_of(8);
        spec[20..24].copy_from_slice(&(length as u32).to_le_bytes()); // next
        bytes.extend_from_slice(&spec);
        bytes.extend_from_slice(target.parameters.as_bytes());
        bytes.resize(HEADER + length, 0);
    }
    let size = bytes.len() as u32;
    bytes[12..16].copy_from_slice(&size.to_le_bytes()); // data_size
    bytes
}

/// One ioctl; what the kernel wrote back.
fn call(control: &File, request: u64, argument: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = argument.to_vec();
    // SAFETY: the buffer is as long as its data_size field says; the kernel writes no further.
    check(unsafe { libc::ioctl(control.as_raw_fd(), request as _, bytes.as_mut_ptr()) }.into())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_load_has_the_kernels_layout() {
        let target = Target { sectors: 8, kind: "verity", parameters: "1 a b" };
        let bytes = argument("orlop-root", "", DM_READONLY_FLAG, Some(&target));
        assert_eq!(bytes.len(), 312 + 48);
        assert_eq!(bytes[12..16], 360u32.to_le_bytes());
        assert_eq!(bytes[16..20], 312u32.to_le_bytes());
        assert_eq!(&bytes[48..58], b"orlop-root");
        assert_eq!(bytes[312 + 8..312 + 16], 8u64.to_le_bytes());
        assert_eq!(bytes[312 + 20..312 + 24], 48u32.to_le_bytes());
        assert_eq!(&bytes[312 + 24..312 + 30], b"verity");
        assert_eq!(&bytes[352..358], b"1 a b\0");
    }
}
