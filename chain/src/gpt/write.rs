//! The bytes of both copies, and the orders in which they may be written.
//!
//! At every moment one copy must be good, whichever of the writes since the last flush reached the disk. So one copy is
//! written and flushed before the other is touched: the bad one first, or, when both are good, the backup first. A reader that
//! finds the primary torn looks for the backup in the disk's last sector, where the new one already is.

use super::copy::{Header, encode_entries};
use super::{ALIGNMENT, ENTRIES, Gpt, GptError, Table, array_sectors, check_sector_size, types, usable};
use crate::Guid;
use crate::crc::crc32;
use crate::device::Step;

/// The bytes of both copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// Protective MBR, header and entries of the primary copy, from offset 0.
    pub primary: Vec<u8>,
    /// Entries and header of the backup copy.
    pub backup: Vec<u8>,
    /// Where the backup copy begins.
    pub backup_offset: u64,
}

/// What the first boot changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Sectors that the disk has now.
    pub total_sectors: u64,
    /// The disk's new GUID.
    pub disk_guid: Guid,
    /// New GUIDs of partitions, by number.
    pub partition_guids: Vec<(u32, Guid)>,
}

/// A changed table, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The table afterwards.
    pub gpt: Gpt,
    /// What to write.
    pub steps: Vec<Step>,
}

/// The bytes of both copies of a table.
pub fn encode(gpt: &Gpt, sector_size: u64) -> Result<Copies, GptError> {
    check_sector_size(sector_size)?;
    gpt.check().map_err(GptError::Plan)?;
    let needed = Gpt { first_usable: 2 + array_sectors(sector_size), ..gpt.clone() };
    needed.check().map_err(GptError::Plan)?;
    let backup_lba = gpt.total_sectors - 1;
    let backup_entries_lba = backup_lba - array_sectors(sector_size).min(backup_lba);
    if gpt.last_usable >= backup_entries_lba {
        return Err(GptError::Shrunk {
            have: gpt.total_sectors,
            need: gpt.last_usable + 2 + array_sectors(sector_size),
        });
    }
    let entries = encode_entries(gpt).map_err(GptError::Plan)?;
    let header = Header {
        my_lba: 1,
        alternate_lba: backup_lba,
        first_usable: gpt.first_usable,
        last_usable: gpt.last_usable,
        disk_guid: gpt.disk_guid,
        entries_lba: 2,
        entries_count: ENTRIES,
        entries_crc: crc32(&entries),
    };
    let backup_header =
        Header { my_lba: backup_lba, alternate_lba: 1, entries_lba: backup_entries_lba, ..header.clone() };
    let sector = sector_size as usize;
    Ok(Copies {
        primary: [protective_mbr(gpt.total_sectors, sector), header.encode(sector), entries.clone()].concat(),
        backup: [entries, backup_header.encode(sector)].concat(),
        backup_offset: backup_entries_lba * sector_size,
    })
}

/// Makes a bad copy good again; no steps when both are good.
pub fn repair(table: &Table, sector_size: u64) -> Result<Vec<Step>, GptError> {
    let copies = encode(&table.gpt, sector_size)?;
    Ok(match (&table.primary, &table.backup) {
        (Err(_), _) => write_primary(&copies),
        (Ok(()), Err(_)) => write_backup(&copies),
        (Ok(()), Ok(())) => Vec::new(),
    })
}

/// Gives a table the size of its disk and new GUIDs; its last partition grows to the end, in steps of 1 MiB.
pub fn rewrite(table: &Table, sector_size: u64, change: &Change) -> Result<Rewrite, GptError> {
    check_sector_size(sector_size)?;
    let gpt = changed(&table.gpt, sector_size, change)?;
    let copies = encode(&gpt, sector_size)?;
    let (primary, backup) = (write_primary(&copies), write_backup(&copies));
    let steps = match table.primary {
        Ok(()) => [backup, primary].concat(),
        Err(_) => [primary, backup].concat(),
    };
    Ok(Rewrite { gpt, steps })
}

fn changed(old: &Gpt, sector_size: u64, change: &Change) -> Result<Gpt, GptError> {
    let mut gpt = old.clone();
    let used = gpt.last_partition().map_or(gpt.first_usable, |entry| entry.last);
    let shrunk =
        GptError::Shrunk { have: change.total_sectors, need: used.saturating_add(2 + array_sectors(sector_size)) };
    let (_, last_usable) = usable(change.total_sectors, sector_size).ok_or_else(|| shrunk.clone())?;
    if last_usable < used {
        return Err(shrunk);
    }
    gpt.total_sectors = change.total_sectors;
    gpt.last_usable = last_usable;
    gpt.disk_guid = change.disk_guid;
    let unit = ALIGNMENT / sector_size;
    let end = ((last_usable + 1) / unit * unit).saturating_sub(1);
    if let Some(entry) = gpt.entries.iter_mut().max_by_key(|entry| entry.last) {
        entry.last = entry.last.max(end);
    }
    for (number, guid) in &change.partition_guids {
        let entry = gpt.entries.iter_mut().find(|entry| entry.number == *number);
        entry.ok_or(GptError::NoPartition(*number))?.guid = *guid;
    }
    Ok(gpt)
}

fn write_primary(copies: &Copies) -> Vec<Step> {
    vec![Step::write(0, copies.primary.clone()), Step::Flush]
}

fn write_backup(copies: &Copies) -> Vec<Step> {
    vec![Step::write(copies.backup_offset, copies.backup.clone()), Step::Flush]
}

/// One entry over the whole disk, so that tools which know no GPT see a full one (UEFI 2.10, 5.2.3).
fn protective_mbr(total_sectors: u64, sector_size: usize) -> Vec<u8> {
    let mut sector = vec![0; sector_size];
    let size = u32::try_from(total_sectors - 1).unwrap_or(u32::MAX);
    // CHS of LBA 1, then the CHS that means "beyond what CHS can say".
    sector[446..454].copy_from_slice(&[0, 0x00, 0x02, 0x00, types::PROTECTIVE_MBR, 0xff, 0xff, 0xff]);
    sector[454..458].copy_from_slice(&1_u32.to_le_bytes());
    sector[458..462].copy_from_slice(&size.to_le_bytes());
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    sector
}
