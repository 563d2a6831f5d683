//! One copy of a table: header and entries, as bytes.

use super::{ENTRIES, ENTRY_BYTES, Entry, Gpt};
use crate::Guid;
use crate::crc::crc32;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;
const HEADER_BYTES: usize = 92;
/// UTF-16 units of a name.
const NAME_UNITS: usize = 36;

/// What is wrong with one copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// The sectors cannot be read.
    #[error("sector {lba} cannot be read: {reason}")]
    Unreadable {
        /// Where.
        lba: u64,
        /// Why.
        reason: String,
    },
    /// Something else stands there.
    #[error("no `EFI PART` in sector {lba}")]
    Signature {
        /// Where.
        lba: u64,
    },
    /// A field of the header.
    #[error("header field `{field}` is {value}, want {want}")]
    Header {
        /// Its name.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// What it may hold.
        want: u64,
    },
    /// The header's checksum.
    #[error("header checksum is {found:08x}, the header says {stored:08x}")]
    HeaderCrc {
        /// Computed.
        found: u32,
        /// Stored.
        stored: u32,
    },
    /// The entries' checksum.
    #[error("checksum of the entries is {found:08x}, the header says {stored:08x}")]
    EntriesCrc {
        /// Computed.
        found: u32,
        /// Stored.
        stored: u32,
    },
    /// The usable range.
    #[error("usable sectors {first}..={last} on a disk of {total}")]
    Usable {
        /// First.
        first: u64,
        /// Last.
        last: u64,
        /// Sectors of the disk.
        total: u64,
    },
    /// A partition outside.
    #[error("partition {number} has sectors {first}..={last}, outside of the usable ones")]
    Outside {
        /// Its number.
        number: u32,
        /// First sector.
        first: u64,
        /// Last sector.
        last: u64,
    },
    /// Two partitions over each other.
    #[error("partitions {one} and {other} overlap")]
    Overlap {
        /// One number.
        one: u32,
        /// The other.
        other: u32,
    },
    /// A name that does not fit.
    #[error("the name of partition {number} has more than {NAME_UNITS} UTF-16 units, or a NUL")]
    Name {
        /// Its number.
        number: u32,
    },
    /// A number that the table has no place for.
    #[error("partition number {0} is taken twice, or not within 1..={ENTRIES}")]
    Number(u32),
    /// Good in itself, but not what the other copy says.
    #[error("it is good in itself but differs from the primary copy")]
    Differs,
}

/// A header's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub my_lba: u64,
    pub alternate_lba: u64,
    pub first_usable: u64,
    pub last_usable: u64,
    pub disk_guid: Guid,
    pub entries_lba: u64,
    pub entries_count: u32,
    pub entries_crc: u32,
}

impl Header {
    /// Parses the header of sector `lba`, which must be a whole sector.
    pub fn parse(sector: &[u8], lba: u64) -> Result<Header, CopyError> {
        if sector.len() < HEADER_BYTES || &sector[..8] != SIGNATURE {
            return Err(CopyError::Signature { lba });
        }
        want("revision", u32_at(sector, 8).into(), REVISION.into())?;
        want("header size", u32_at(sector, 12).into(), HEADER_BYTES as u64)?;
        let stored = u32_at(sector, 16);
        let found = header_crc(&sector[..HEADER_BYTES]);
        if found != stored {
            return Err(CopyError::HeaderCrc { found, stored });
        }
        want("own sector", u64_at(sector, 24), lba)?;
        want("entry size", u32_at(sector, 84).into(), ENTRY_BYTES as u64)?;
        let header = Header {
            my_lba: lba,
            alternate_lba: u64_at(sector, 32),
            first_usable: u64_at(sector, 40),
            last_usable: u64_at(sector, 48),
            disk_guid: guid_at(sector, 56),
            entries_lba: u64_at(sector, 72),
            entries_count: u32_at(sector, 80),
            entries_crc: u32_at(sector, 88),
        };
        want("number of entries", header.entries_count.into(), ENTRIES.into())?;
        Ok(header)
    }

    /// The header's sector.
    pub fn encode(&self, sector_size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(sector_size);
        bytes.extend_from_slice(SIGNATURE);
        bytes.extend_from_slice(&REVISION.to_le_bytes());
        bytes.extend_from_slice(&(HEADER_BYTES as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        for value in [self.my_lba, self.alternate_lba, self.first_usable, self.last_usable] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&self.disk_guid.to_disk());
        bytes.extend_from_slice(&self.entries_lba.to_le_bytes());
        for value in [self.entries_count, ENTRY_BYTES as u32, self.entries_crc] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let crc = header_crc(&bytes);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        bytes.resize(sector_size, 0);
        bytes
    }
}

/// Parses the entries that `header` speaks of.
pub(super) fn parse_entries(array: &[u8], header: &Header) -> Result<Vec<Entry>, CopyError> {
    let found = crc32(array);
    if found != header.entries_crc {
        return Err(CopyError::EntriesCrc { found, stored: header.entries_crc });
    }
    let numbered = (1..).zip(array.chunks_exact(ENTRY_BYTES));
    let used = numbered.map(|(number, bytes)| parse_entry(number, bytes)).filter(|entry| !entry.type_guid.is_nil());
    Ok(used.collect())
}

fn parse_entry(number: u32, bytes: &[u8]) -> Entry {
    let units = bytes[56..].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Entry {
        number,
        type_guid: guid_at(bytes, 0),
        guid: guid_at(bytes, 16),
        first: u64_at(bytes, 32),
        last: u64_at(bytes, 40),
        attributes: u64_at(bytes, 48),
        name: String::from_utf16_lossy(&units),
    }
}

/// The bytes of all entries of a table.
pub(super) fn encode_entries(gpt: &Gpt) -> Result<Vec<u8>, CopyError> {
    let mut array = vec![0; ENTRIES as usize * ENTRY_BYTES];
    for entry in &gpt.entries {
        let slot = (entry.number as usize).checked_sub(1);
        let place = slot.and_then(|slot| array.chunks_exact_mut(ENTRY_BYTES).nth(slot));
        let place = place.filter(|place| place[..16] == [0; 16]).ok_or(CopyError::Number(entry.number))?;
        let name: Vec<u16> = entry.name.encode_utf16().collect();
        if name.len() > NAME_UNITS || name.contains(&0) {
            return Err(CopyError::Name { number: entry.number });
        }
        place[..16].copy_from_slice(&entry.type_guid.to_disk());
        place[16..32].copy_from_slice(&entry.guid.to_disk());
        place[32..40].copy_from_slice(&entry.first.to_le_bytes());
        place[40..48].copy_from_slice(&entry.last.to_le_bytes());
        place[48..56].copy_from_slice(&entry.attributes.to_le_bytes());
        for (unit, bytes) in name.iter().zip(place[56..].chunks_exact_mut(2)) {
            bytes.copy_from_slice(&unit.to_le_bytes());
        }
    }
    Ok(array)
}

/// Over the header with its checksum field taken as zero.
fn header_crc(header: &[u8]) -> u32 {
    let mut bytes = header.to_vec();
    bytes[16..20].fill(0);
    crc32(&bytes)
}

fn want(field: &'static str, value: u64, want: u64) -> Result<(), CopyError> {
    if value == want { Ok(()) } else { Err(CopyError::Header { field, value, want }) }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}

fn guid_at(bytes: &[u8], at: usize) -> Guid {
    Guid::from_disk(std::array::from_fn(|index| bytes[at + index]))
}
