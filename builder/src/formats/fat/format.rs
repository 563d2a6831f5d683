//! Boot sector, FSInfo, directory entries, dates.

use super::names::ShortName;

/// Bytes of a sector.
pub(super) const SECTOR: u64 = 512;
/// Sectors before the first allocation table.
pub(super) const RESERVED: u64 = 32;
/// Allocation tables.
pub(super) const TABLES: u64 = 2;
/// Bytes of a directory entry.
pub(super) const ENTRY: usize = 32;
/// First cluster of the root folder, and of all clusters.
pub(super) const FIRST_CLUSTER: u32 = 2;
/// With fewer clusters it would be a FAT16.
pub(super) const MIN_CLUSTERS: u64 = 65_525;
/// Marks the last cluster of a chain.
pub(super) const END_OF_CHAIN: u32 = 0x0fff_ffff;
/// The first two entries of a table: media, and "clean, no errors".
pub(super) const TABLE_HEAD: [u32; 2] = [0x0fff_fff8, 0x0fff_ffff];
const MEDIA: u8 = 0xf8;
const FS_INFO_SECTOR: u16 = 1;
const BACKUP_SECTOR: u16 = 6;

pub(super) const FOLDER: u8 = 0x10;
pub(super) const ARCHIVE: u8 = 0x20;
pub(super) const LABEL: u8 = 0x08;
const LONG_NAME: u8 = 0x0f;
/// UTF-16 units in one long-name entry.
pub(super) const LONG_UNITS: usize = 13;

/// What the boot sector says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    pub sectors: u32,
    pub sectors_per_cluster: u8,
    pub table_sectors: u32,
    pub clusters: u32,
}

impl Geometry {
    pub fn cluster_bytes(&self) -> u64 {
        u64::from(self.sectors_per_cluster) * SECTOR
    }

    /// Where a cluster begins in the volume.
    pub fn offset(&self, cluster: u32) -> u64 {
        let data = (RESERVED + TABLES * u64::from(self.table_sectors)) * SECTOR;
        data + u64::from(cluster - FIRST_CLUSTER) * self.cluster_bytes()
    }
}

/// The reserved sectors: boot sector and FSInfo, and their backups.
pub(super) fn reserved(geometry: &Geometry, id: u32, label: &[u8; 11], used: u32) -> Vec<u8> {
    let boot = boot_sector(geometry, id, label);
    let info = fs_info(geometry.clusters - used, FIRST_CLUSTER + used);
    let mut sectors = vec![0; (RESERVED * SECTOR) as usize];
    for base in [0, usize::from(BACKUP_SECTOR)] {
        sectors[base * 512..][..512].copy_from_slice(&boot);
        sectors[(base + usize::from(FS_INFO_SECTOR)) * 512..][..512].copy_from_slice(&info);
    }
    sectors
}

fn boot_sector(geometry: &Geometry, id: u32, label: &[u8; 11]) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x58, 0x90]);
    put(3, b"ORLOP   ");
    put(11, &(SECTOR as u16).to_le_bytes());
    put(13, &[geometry.sectors_per_cluster]);
    put(14, &(RESERVED as u16).to_le_bytes());
    put(16, &[TABLES as u8]);
    put(21, &[MEDIA]);
    // Sectors of a track and heads: nobody's, but tools want them to be something.
    put(24, &32_u16.to_le_bytes());
    put(26, &64_u16.to_le_bytes());
    put(32, &geometry.sectors.to_le_bytes());
    put(36, &geometry.table_sectors.to_le_bytes());
    put(44, &FIRST_CLUSTER.to_le_bytes());
    put(48, &FS_INFO_SECTOR.to_le_bytes());
    put(50, &BACKUP_SECTOR.to_le_bytes());
    put(64, &[0x80, 0, 0x29]);
    put(67, &id.to_le_bytes());
    put(71, label);
    put(82, b"FAT32   ");
    put(510, &[0x55, 0xaa]);
    sector
}

fn fs_info(free: u32, next: u32) -> [u8; 512] {
    let mut sector = [0; 512];
    let fields = [(0, 0x4161_5252), (484, 0x6141_7272), (488, free), (492, next), (508, 0xaa55_0000_u32)];
    for (at, value) in fields {
        sector[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    sector
}

/// A date and a time of day, packed as an entry has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    date: u16,
    time: u16,
}

impl Stamp {
    /// From seconds since 1970, UTC. A FAT knows 1980 to 2107: what lies outside becomes the nearest that it knows.
    pub fn new(epoch: u64) -> Self {
        let first = 315_532_800;
        let last = 4_354_819_198;
        let epoch = epoch.clamp(first, last);
        let ((year, month, day), second) = (orlop_config::date::civil(epoch / 86_400), epoch % 86_400);
        let date = (((year - 1980) << 9) | (month << 5) | day) as u16;
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        let time = ((hours << 11) | (minutes << 5) | (seconds / 2)) as u16;
        Stamp { date, time }
    }
}

/// An entry with a short name.
pub(super) fn entry(name: &[u8; 11], attributes: u8, stamp: Stamp, (cluster, size): (u32, u32)) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let mut put = |at: usize, bytes: &[u8]| entry[at..at + bytes.len()].copy_from_slice(bytes);
    let cluster = cluster.to_le_bytes();
    put(0, name);
    put(11, &[attributes]);
    for (at, value) in [(14, stamp.time), (16, stamp.date), (18, stamp.date), (22, stamp.time), (24, stamp.date)] {
        put(at, &value.to_le_bytes());
    }
    put(20, &cluster[2..]);
    put(26, &cluster[..2]);
    put(28, &size.to_le_bytes());
    entry
}

/// The long-name entries that precede the entry of `short`: the last part first.
pub(super) fn long_entries(long: &str, short: &ShortName) -> Vec<[u8; ENTRY]> {
    let units: Vec<u16> = long.encode_utf16().collect();
    let parts = units.chunks(LONG_UNITS);
    let count = parts.len();
    let numbered = (1..).zip(parts).map(|(number, part)| long_entry(number, number as usize == count, part, short));
    let mut entries: Vec<_> = numbered.collect();
    entries.reverse();
    entries
}

fn long_entry(number: u8, last: bool, part: &[u16], short: &ShortName) -> [u8; ENTRY] {
    // A name that does not fill its entry ends with NUL, then ones.
    let mut units = [0xffff; LONG_UNITS];
    units[..part.len()].copy_from_slice(part);
    if let Some(end) = units.get_mut(part.len()) {
        *end = 0;
    }
    let mut entry = [0; ENTRY];
    entry[0] = number | if last { 0x40 } else { 0 };
    entry[11] = LONG_NAME;
    entry[13] = short.checksum();
    let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
    for (at, unit) in places.zip(units) {
        entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_utc() {
        let stamp = Stamp::new(1_763_948_096); // 2025-11-24 01:34:56
        assert_eq!((stamp.date >> 9, stamp.date >> 5 & 15, stamp.date & 31), (45, 11, 24));
        assert_eq!((stamp.time >> 11, stamp.time >> 5 & 63, stamp.time & 31), (1, 34, 28));
        assert_eq!(Stamp::new(0), Stamp { date: 0x21, time: 0 });
        assert_eq!(Stamp::new(951_782_400).date & 0x1ff, 2 << 5 | 29, "a leap day");
        assert_eq!(Stamp::new(u64::MAX).date >> 9, 127);
    }
}
