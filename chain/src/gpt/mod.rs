//! GUID partition tables (UEFI 2.10, chapter 5): a value, read from either of its two copies, and the bytes of both.
//!
//! A table has a copy at each end of the disk. One bad copy is usable and reported; two are an error. Whoever writes a table
//! does so in an order that keeps one copy good at every moment: see [`write`].

mod copy;
mod read;
pub mod types;
mod write;

pub use copy::CopyError;
pub use read::{Table, read};
pub use write::{Change, Copies, Rewrite, encode, repair, rewrite};

use crate::Guid;

/// Entries in a table of ours, and the most that is accepted in one: every tool writes 128.
pub const ENTRIES: u32 = 128;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 128;
/// Partitions begin and end at multiples of this many bytes.
pub const ALIGNMENT: u64 = 1 << 20;

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpt {
    /// The disk's GUID.
    pub disk_guid: Guid,
    /// First sector that a partition may have.
    pub first_usable: u64,
    /// Last sector that a partition may have.
    pub last_usable: u64,
    /// Sectors of the disk, as this table knows it: its backup copy ends there.
    pub total_sectors: u64,
    /// The used entries, by number.
    pub entries: Vec<Entry>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1, as in `/dev/vda1`.
    pub number: u32,
    /// What it is for; see [`types`].
    pub type_guid: Guid,
    /// Its own GUID.
    pub guid: Guid,
    /// First sector.
    pub first: u64,
    /// Last sector.
    pub last: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// At most 36 UTF-16 units.
    pub name: String,
}

/// Why a table makes no sense, or cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GptError {
    /// The device could not be read.
    #[error("cannot read the partition table: {0}")]
    Io(String),
    /// Too small to be a disk with partitions.
    #[error("{bytes} bytes are too few for a partition table; is the image cut short, or no disk image at all?")]
    TooSmall {
        /// Bytes of the device.
        bytes: u64,
    },
    /// A sector size that no disk has.
    #[error("sector size {0}, want 512 or 4096")]
    SectorSize(u64),
    /// Neither copy is good.
    #[error("both copies of the partition table are bad; primary: {primary}; backup: {backup}")]
    BothBad {
        /// What is wrong with the first.
        primary: CopyError,
        /// What is wrong with the second.
        backup: CopyError,
    },
    /// A table that must not be written.
    #[error("the partition table would be wrong: {0}")]
    Plan(CopyError),
    /// The disk is smaller than its partitions.
    #[error("the disk has {have} sectors, its partitions need {need}; was the image cut short?")]
    Shrunk {
        /// Sectors of the device.
        have: u64,
        /// Sectors that are needed.
        need: u64,
    },
    /// A change to a partition that is not there.
    #[error("there is no partition {0}")]
    NoPartition(u32),
}

impl Entry {
    /// Sectors.
    pub fn sectors(&self) -> u64 {
        self.last - self.first + 1
    }
}

impl Gpt {
    /// The partition that ends last: the one that can grow.
    pub fn last_partition(&self) -> Option<&Entry> {
        self.entries.iter().max_by_key(|entry| entry.last)
    }

    /// Partitions of one type.
    pub fn of_type(&self, type_guid: Guid) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.type_guid == type_guid)
    }

    /// Whether every partition lies where it may, and alone.
    pub fn check(&self) -> Result<(), CopyError> {
        if self.first_usable > self.last_usable || self.last_usable >= self.total_sectors {
            return Err(CopyError::Usable {
                first: self.first_usable,
                last: self.last_usable,
                total: self.total_sectors,
            });
        }
        for entry in &self.entries {
            let inside =
                self.first_usable <= entry.first && entry.first <= entry.last && entry.last <= self.last_usable;
            if !inside {
                return Err(CopyError::Outside { number: entry.number, first: entry.first, last: entry.last });
            }
        }
        let mut by_place: Vec<&Entry> = self.entries.iter().collect();
        by_place.sort_by_key(|entry| entry.first);
        match by_place.windows(2).find(|pair| pair[1].first <= pair[0].last) {
            Some(pair) => Err(CopyError::Overlap { one: pair[0].number, other: pair[1].number }),
            None => Ok(()),
        }
    }
}

/// Sectors that the entries take.
fn array_sectors(sector_size: u64) -> u64 {
    (u64::from(ENTRIES) * ENTRY_BYTES as u64).div_ceil(sector_size)
}

fn check_sector_size(sector_size: u64) -> Result<(), GptError> {
    if sector_size == 512 || sector_size == 4096 { Ok(()) } else { Err(GptError::SectorSize(sector_size)) }
}

/// First usable sector behind the primary copy, and the last before the backup, of a disk of `total_sectors`.
pub fn usable(total_sectors: u64, sector_size: u64) -> Option<(u64, u64)> {
    let first = 2 + array_sectors(sector_size);
    let last = total_sectors.checked_sub(2 + array_sectors(sector_size))?;
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests;
