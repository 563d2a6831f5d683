//! Partition tables, as far as finding the EFI system partitions of a disk.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Its type, as it lies on a disk.
const ESP: [u8; 16] = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
/// More entries than this are not read.
const ENTRIES: u32 = 256;
const ENTRY: Range<u32> = 128..1025;

/// The bytes of each EFI system partition of a disk with blocks of this size.
pub fn system_partitions(mut disk: impl Read + Seek, block: u64) -> Option<Vec<Range<u64>>> {
    let mut header = [0; 92];
    disk.seek(SeekFrom::Start(block)).ok()?;
    disk.read_exact(&mut header).ok()?;
    let four = |bytes: &[u8], at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let eight = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let (count, size) = (four(&header, 80)?, four(&header, 84)?);
    if header[..8] != *b"EFI PART" || !ENTRY.contains(&size) {
        return None;
    }
    disk.seek(SeekFrom::Start(eight(&header, 72)?.checked_mul(block)?)).ok()?;
    let mut entry = vec![0; size as usize];
    let mut found = Vec::new();
    for _ in 0..count.min(ENTRIES) {
        disk.read_exact(&mut entry).ok()?;
        let start = eight(&entry, 32)?.checked_mul(block)?;
        let end = eight(&entry, 40)?.checked_add(1)?.checked_mul(block)?;
        if entry[..16] == ESP && start < end {
            found.push(start..end);
        }
    }
    Some(found)
}
