//! The device-mapper, by ioctl (`include/uapi/linux/dm-ioctl.h`).
#![allow(unsafe_code)]

use nix::libc;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

/// `_IOWR(DM_IOCTL, DM_TABLE_STATUS_CMD, struct dm_ioctl)`
const DM_TABLE_STATUS: u64 = 0xc138_fd0c;
/// The same for `DM_DEV_SUSPEND_CMD`.
const DM_DEV_SUSPEND: u64 = 0xc138_fd06;
/// For `DM_TABLE_LOAD_CMD`.
const DM_TABLE_LOAD: u64 = 0xc138_fd09;
/// For `DM_TABLE_CLEAR_CMD`.
const DM_TABLE_CLEAR: u64 = 0xc138_fd0a;
/// `DM_READONLY_FLAG`
const READ_ONLY: u32 = 1;
/// `DM_SUSPEND_FLAG`
const SUSPEND: u32 = 1 << 1;
/// `DM_STATUS_TABLE_FLAG`: the table as it was loaded, not its state.
const STATUS_TABLE: u32 = 1 << 4;
/// `sizeof(struct dm_ioctl)`
const HEADER: usize = 312;
/// `sizeof(struct dm_target_spec)`
const TARGET: usize = 40;
/// A verity target's line is below 1 KiB.
const BUFFER: usize = 16 << 10;

/// The first target of the mapped device: its length in sectors, type and parameters.
pub fn table(name: &str) -> io::Result<(u64, String, String)> {
    let mut buffer = request(name, STATUS_TABLE);
    control(DM_TABLE_STATUS, &mut buffer)?;
    parse(&buffer).ok_or_else(|| io::Error::other(format!("{name}: no table")))
}

/// Stops all reads of the device, and lets them go on.
pub fn suspend_and_resume(name: &str) -> io::Result<()> {
    control(DM_DEV_SUSPEND, &mut request(name, SUSPEND))?;
    control(DM_DEV_SUSPEND, &mut request(name, 0))
}

/// Loads another table beside the one in use, and throws it away.
pub fn load(name: &str, (sectors, kind, parameters): (u64, &str, &str)) -> io::Result<()> {
    let mut buffer = request(name, READ_ONLY);
    buffer[20..24].copy_from_slice(&1u32.to_ne_bytes());
    let mut put = |at: usize, bytes: &[u8]| buffer[HEADER + at..HEADER + at + bytes.len()].copy_from_slice(bytes);
    put(8, &sectors.to_ne_bytes());
    put(20, &((TARGET + parameters.len() + 8) as u32 & !7).to_ne_bytes());
    put(24, &kind.as_bytes()[..kind.len().min(15)]);
    put(TARGET, &parameters.as_bytes()[..parameters.len().min(BUFFER / 2)]);
    control(DM_TABLE_LOAD, &mut buffer)?;
    control(DM_TABLE_CLEAR, &mut request(name, 0))
}

fn control(request: u64, buffer: &mut [u8]) -> io::Result<()> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/mapper/control")?;
    // SAFETY: the kernel reads a `dm_ioctl` from the buffer and writes no more than its `data_size`, which is the
    // buffer's length; both outlive the call.
    let status = unsafe { libc::ioctl(control.as_raw_fd(), request as _, buffer.as_mut_ptr()) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn request(name: &str, flags: u32) -> Vec<u8> {
    let mut buffer = vec![0; BUFFER];
    let mut put = |at: usize, value: u32| buffer[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    put(0, 4);
    put(12, BUFFER as u32);
    put(16, HEADER as u32);
    put(28, flags);
    let name = &name.as_bytes()[..name.len().min(127)];
    buffer[48..48 + name.len()].copy_from_slice(name);
    buffer
}

fn parse(buffer: &[u8]) -> Option<(u64, String, String)> {
    let number = |at: usize| Some(u32::from_ne_bytes(buffer.get(at..at + 4)?.try_into().ok()?));
    let data = usize::try_from(number(16)?).ok()?;
    if number(20)? == 0 {
        return None;
    }
    let target = buffer.get(data..)?;
    let length = u64::from_ne_bytes(target.get(8..16)?.try_into().ok()?);
    Some((length, text(target.get(24..TARGET)?), text(target.get(TARGET..)?)))
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_every_cut_of_it_is_harmless() {
        let mut answer = request("root", 0);
        answer[20..24].copy_from_slice(&1u32.to_ne_bytes());
        answer[HEADER + 8..HEADER + 16].copy_from_slice(&2048u64.to_ne_bytes());
        answer[HEADER + 24..HEADER + 30].copy_from_slice(b"verity");
        answer[HEADER + TARGET..HEADER + TARGET + 9].copy_from_slice(b"1 /dev/sd");
        assert_eq!(parse(&answer), Some((2048, "verity".into(), "1 /dev/sd".into())));
        for cut in 0..HEADER + TARGET + 16 {
            let _ = parse(&answer[..cut]);
        }
    }
}
