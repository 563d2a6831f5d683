//! Partition table, partition and filesystem follow the disk's size.

use super::{MOUNT_POINT, Place, STAGE};
use crate::node::identity::random;
use crate::report::{Refusal, or_refuse};
use crate::sys::block;
use orlop_chain::Guid;
use orlop_chain::device::{ReadAt, apply};
use orlop_chain::gpt::{Change, Gpt, repair, rewrite, types};
use std::fs::File;
use std::io;

/// Bytes of a block of the state filesystem.
const BLOCK: u64 = orlop_chain::state_template::BLOCK;
/// Where the primary superblock begins.
const SUPERBLOCK: u64 = orlop_chain::state_template::superblock::OFFSET as u64;

/// Gives the table the disk's size, and at first boot GUIDs of this machine; otherwise repairs a bad
/// copy. Notes for the report.
pub fn table(place: &mut Place, first_boot: bool) -> Result<Vec<String>, Refusal> {
    let mut notes: Vec<String> = place.table.damage().into_iter().collect();
    let sector_size = place.disk.sector_size;
    let grows = place.table.device_sectors > place.table.gpt.total_sectors;
    let steps = if first_boot || grows {
        let change = or_refuse(change(place, first_boot), STAGE, "random GUIDs")?;
        let rewrite = or_refuse(rewrite(&place.table, sector_size, &change), STAGE, "partition table")?;
        if grows {
            let (from, to) = (place.table.gpt.total_sectors * sector_size, change.total_sectors * sector_size);
            notes.push(format!("partition table moved from {from} to {to} bytes"));
        }
        place.table.gpt = rewrite.gpt;
        rewrite.steps
    } else {
        or_refuse(repair(&place.table, sector_size), STAGE, "partition table")?
    };
    or_refuse(apply(&place.disk, &steps), STAGE, "writing the partition table")?;
    if !notes.is_empty() && !steps.is_empty() {
        notes.push("partition table written, both copies are good".to_owned());
    }
    or_refuse(tell_kernel(place), STAGE, "telling the kernel the new size of the state partition")?;
    Ok(notes)
}

fn change(place: &Place, first_boot: bool) -> io::Result<Change> {
    let gpt = &place.table.gpt;
    let mut change =
        Change { total_sectors: place.table.device_sectors, disk_guid: gpt.disk_guid, partition_guids: Vec::new() };
    if first_boot {
        change.disk_guid = Guid::from_random(random()?);
        for entry in gpt.entries.iter().filter(|entry| [types::ESP, types::VAR].contains(&entry.type_guid)) {
            change.partition_guids.push((entry.number, Guid::from_random(random()?)));
        }
    }
    Ok(change)
}

/// The kernel read the table before it was written: it learns the one partition that changed.
fn tell_kernel(place: &mut Place) -> io::Result<()> {
    let number = place.entry.number;
    let Some(entry) = partition(&place.table.gpt, number) else { return Ok(()) };
    let (start, length) = (entry.first * place.disk.sector_size, entry.sectors() * place.disk.sector_size);
    if File::open(&place.node)?.size()? != length {
        block::resize_partition(&place.disk.file, number, start, length)?;
    }
    place.entry = entry;
    Ok(())
}

fn partition(gpt: &Gpt, number: u32) -> Option<orlop_chain::gpt::Entry> {
    gpt.entries.iter().find(|entry| entry.number == number).cloned()
}

/// Grows the mounted filesystem to its partition; nothing to do when it fills it.
pub fn filesystem(place: &Place) -> io::Result<()> {
    let want = place.entry.sectors() * place.disk.sector_size / BLOCK;
    let superblock = File::open(&place.node)?.bytes_at(SUPERBLOCK, 1024)?;
    if blocks(&superblock) < want {
        block::resize_ext4(&File::open(MOUNT_POINT)?, want)?;
    }
    Ok(())
}

/// Blocks of a filesystem (`fs/ext4/ext4.h`: `s_blocks_count_lo`, `s_blocks_count_hi`).
fn blocks(superblock: &[u8]) -> u64 {
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| superblock[at + index]));
    u64::from(word(0x4)) | u64::from(word(0x150)) << 32
}
