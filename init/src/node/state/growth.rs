//! Partition table, partition and filesystem follow the disk's size.

use super::{MOUNT_POINT, Place, STAGE};
use crate::node::identity::random;
use crate::report::{Refusal, or_refuse};
use crate::sys::block;
use orlop_chain::Guid;
use orlop_chain::device::{ReadAt, Step, apply};
use orlop_chain::gpt::{Change, Gpt, Table, repair, rewrite, types};
use std::fs::File;
use std::io;

/// Bytes of a block of the state filesystem.
const BLOCK: u64 = orlop_chain::state_template::BLOCK;
/// Where the primary superblock begins.
const SUPERBLOCK: u64 = orlop_chain::state_template::superblock::OFFSET as u64;

/// What is to be done to a partition table.
#[derive(Debug)]
pub struct Plan {
    /// The table afterwards.
    pub gpt: Gpt,
    /// What to write.
    pub steps: Vec<Step>,
    /// What the report should say.
    pub notes: Vec<String>,
}

/// Gives the table the disk's size, and at first boot GUIDs of this machine; otherwise repairs a bad
/// copy. Writes nothing.
pub fn plan(table: &Table, sector_size: u64, first_boot: bool, guid: Guids<'_>) -> Result<Plan, String> {
    let mut notes: Vec<String> = table.damage().into_iter().collect();
    let grows = table.device_sectors > table.gpt.total_sectors;
    let (gpt, steps) = if first_boot || grows {
        let change = change(table, first_boot, guid).map_err(|error| format!("random GUIDs: {error}"))?;
        let rewrite = rewrite(table, sector_size, &change).map_err(|error| error.to_string())?;
        (rewrite.gpt, rewrite.steps)
    } else {
        (table.gpt.clone(), repair(table, sector_size).map_err(|error| error.to_string())?)
    };
    if grows {
        let (from, to) = (table.gpt.total_sectors * sector_size, gpt.total_sectors * sector_size);
        notes.push(format!("partition table moves to the end of the disk: {from} to {to} bytes"));
    }
    Ok(Plan { gpt, steps, notes })
}

/// Where new GUIDs come from.
pub type Guids<'a> = &'a mut dyn FnMut() -> io::Result<Guid>;

fn change(table: &Table, first_boot: bool, guid: Guids<'_>) -> io::Result<Change> {
    let gpt = &table.gpt;
    let mut change =
        Change { total_sectors: table.device_sectors, disk_guid: gpt.disk_guid, partition_guids: Vec::new() };
    if first_boot {
        change.disk_guid = guid()?;
        for entry in gpt.entries.iter().filter(|entry| [types::ESP, types::VAR].contains(&entry.type_guid)) {
            change.partition_guids.push((entry.number, guid()?));
        }
    }
    Ok(change)
}

/// Plans and writes the table, and tells the kernel. Notes for the report.
pub fn table(place: &mut Place, first_boot: bool) -> Result<Vec<String>, Refusal> {
    let mut guids = || random().map(Guid::from_random);
    let plan = or_refuse(plan(&place.table, place.disk.sector_size, first_boot, &mut guids), STAGE, "partition table")?;
    or_refuse(apply(&place.disk, &plan.steps), STAGE, "writing the partition table")?;
    place.table.gpt = plan.gpt;
    or_refuse(tell_kernel(place), STAGE, "telling the kernel the new size of the state partition")?;
    Ok(plan.notes)
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
