//! Reading a table: both copies are judged, whichever is used.

use super::copy::{Header, parse_entries};
use super::{CopyError, ENTRY_BYTES, Gpt, GptError, check_sector_size, usable};
use crate::device::ReadAt;

/// A table as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table: the primary copy's, or the backup's when that is bad.
    pub gpt: Gpt,
    /// Whether the primary copy is good.
    pub primary: Result<(), CopyError>,
    /// Whether the backup copy is good, and the same.
    pub backup: Result<(), CopyError>,
    /// Sectors of the device; more than the table's own when an image was put on a bigger disk.
    pub device_sectors: u64,
}

impl Table {
    /// One line about a copy that is bad; `None` when both are good.
    pub fn damage(&self) -> Option<String> {
        match (&self.primary, &self.backup) {
            (Err(error), _) => Some(format!("primary partition table is bad ({error}), the backup is used")),
            (_, Err(error)) => Some(format!("backup partition table is bad ({error}), the primary is used")),
            (Ok(()), Ok(())) => None,
        }
    }
}

/// Reads the partition table of a disk.
pub fn read(disk: &(impl ReadAt + ?Sized), sector_size: u64) -> Result<Table, GptError> {
    check_sector_size(sector_size)?;
    let bytes = disk.size().map_err(|error| GptError::Io(error.to_string()))?;
    let device_sectors = bytes / sector_size;
    if usable(device_sectors, sector_size).is_none() {
        return Err(GptError::TooSmall { bytes });
    }
    let reader = Reader { disk, sector_size, device_sectors };
    match reader.copy(1) {
        Ok((gpt, backup_lba)) => {
            let backup = reader.copy(backup_lba).and_then(|(other, _)| same(&gpt, &other));
            Ok(Table { gpt, primary: Ok(()), backup, device_sectors })
        }
        Err(primary) => match reader.copy(device_sectors - 1) {
            Ok((gpt, _)) => Ok(Table { gpt, primary: Err(primary), backup: Ok(()), device_sectors }),
            Err(backup) => Err(GptError::BothBad { primary, backup }),
        },
    }
}

fn same(one: &Gpt, other: &Gpt) -> Result<(), CopyError> {
    if one == other { Ok(()) } else { Err(CopyError::Differs) }
}

struct Reader<'a, R: ?Sized> {
    disk: &'a R,
    sector_size: u64,
    device_sectors: u64,
}

impl<R: ReadAt + ?Sized> Reader<'_, R> {
    /// The copy whose header is in sector `lba`, and where it says that the other one is.
    fn copy(&self, lba: u64) -> Result<(Gpt, u64), CopyError> {
        let sector = self.sectors(lba, self.sector_size as usize)?;
        let header = Header::parse(&sector, lba)?;
        let array = self.sectors(header.entries_lba, header.entries_count as usize * ENTRY_BYTES)?;
        let entries = parse_entries(&array, &header)?;
        let gpt = Gpt {
            disk_guid: header.disk_guid,
            first_usable: header.first_usable,
            last_usable: header.last_usable,
            // Saturating: a header may say anything; the check below finds it.
            total_sectors: header.my_lba.max(header.alternate_lba).saturating_add(1),
            entries,
        };
        if gpt.total_sectors > self.device_sectors {
            return Err(CopyError::Usable {
                first: gpt.first_usable,
                last: gpt.last_usable,
                total: self.device_sectors,
            });
        }
        gpt.check()?;
        Ok((gpt, header.alternate_lba))
    }

    fn sectors(&self, lba: u64, length: usize) -> Result<Vec<u8>, CopyError> {
        let unreadable = |reason: String| CopyError::Unreadable { lba, reason };
        let offset = lba.checked_mul(self.sector_size).ok_or_else(|| unreadable("beyond any disk".to_owned()))?;
        self.disk.bytes_at(offset, length).map_err(|error| unreadable(error.to_string()))
    }
}
