//! The UKI on an EFI system partition, and what lies beside it, read by `fatfs` (which is not the builder's own writer).
//! `fatfs` believes what the volume says of itself, so that is looked at before, and what it reads has an end.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Where the UKI lies on the ESP.
pub const UKI: &str = "EFI/BOOT/BOOTX64.EFI";
/// No UKI of ours is larger; what is larger is not read into memory.
pub const MOST_UKI: u64 = 64 << 20;

const SECTOR: u64 = 512;
/// A FAT32 has no fewer clusters.
const LEAST_CLUSTERS: u64 = 65_525;
/// What may be read until the file is found: a loop of clusters would go on for ever.
const MOST_FOLDERS: u64 = 4 << 20;

/// The UKI on a volume of `bytes` bytes.
pub fn read_uki<V: Read + Write + Seek>(volume: V, bytes: u64) -> io::Result<Vec<u8>> {
    let left = Cell::new(MOST_FOLDERS);
    let volume = mounted(volume, bytes, &left)?;
    let path = as_firmware(UKI);
    let mut found = Vec::new();
    let root = volume.root_dir();
    let file = root.open_file(UKI).map_err(|error| in_words(&path, &error))?;
    // With each cluster, its place in the table.
    left.set(2 * MOST_UKI);
    file.take(MOST_UKI + 1).read_to_end(&mut found).map_err(|error| in_words(&path, &error))?;
    if found.len() as u64 > MOST_UKI {
        return Err(invalid(&format!("{path}: more than {MOST_UKI} bytes, which no UKI of Orlop has")));
    }
    Ok(found)
}

/// What else lies on such a volume: the path of the first file or folder that is not the UKI or on the way to it.
pub fn beside_uki<V: Read + Write + Seek>(volume: V, bytes: u64) -> io::Result<Option<String>> {
    let left = Cell::new(MOST_FOLDERS);
    let volume = mounted(volume, bytes, &left)?;
    let (mut folder, mut path) = (volume.root_dir(), String::new());
    for name in UKI.split('/') {
        let mut way = None;
        for entry in folder.iter() {
            let entry = entry.map_err(|error| in_words(&as_firmware(&path), &error))?;
            // A long name and a short one lead to the same file.
            let names = [entry.file_name(), entry.short_file_name()];
            if entry.is_dir() && [".", ".."].contains(&names[0].as_str()) {
                continue;
            }
            if way.is_some() || !names.iter().all(|found| found.eq_ignore_ascii_case(name)) {
                return Ok(Some(as_firmware(&format!("{path}{}", names[0]))));
            }
            way = Some(entry);
        }
        path = format!("{path}{name}/");
        match way.filter(fatfs::DirEntry::is_dir) {
            Some(entry) => folder = entry.to_dir(),
            None => break,
        }
    }
    Ok(None)
}

/// The volume, once its boot sector is credible.
fn mounted<V: Read + Write + Seek>(
    mut volume: V,
    bytes: u64,
    left: &Cell<u64>,
) -> io::Result<fatfs::FileSystem<Bounded<'_, V>>> {
    let mut sector = [0; SECTOR as usize];
    volume.read_exact(&mut sector)?;
    check(&sector, bytes).map_err(|what| invalid(&format!("the ESP is no FAT: {what}")))?;
    volume.seek(SeekFrom::Start(0))?;
    let options = fatfs::FsOptions::new().update_accessed_date(false);
    let volume = Bounded { inner: volume, left };
    fatfs::FileSystem::new(volume, options).map_err(|error| in_words("the ESP is no FAT", &error))
}

/// A path as the firmware writes it.
fn as_firmware(path: &str) -> String {
    format!("\\{} on the ESP", path.replace('/', "\\"))
}

/// What is wrong with a boot sector: the builder writes FAT32 with sectors of 512 bytes and two tables, nothing else.
fn check(sector: &[u8; SECTOR as usize], bytes: u64) -> Result<(), &'static str> {
    let wide = |at: usize| u64::from(u16::from_le_bytes([sector[at], sector[at + 1]]));
    let long = |at: usize| wide(at) | wide(at + 2) << 16;
    let (per_cluster, reserved, total, table) = (u64::from(sector[13]), wide(14), long(32), long(36));
    let expect = |good: bool, what: &'static str| if good { Ok(()) } else { Err(what) };
    expect(sector[510..] == [0x55, 0xaa], "no boot sector")?;
    expect(wide(11) == SECTOR, "sectors of another size than 512 bytes")?;
    expect(per_cluster.is_power_of_two(), "sectors a cluster are no power of two")?;
    expect(sector[16] == 2, "another number of tables than two")?;
    expect(wide(17) == 0 && wide(19) == 0 && wide(22) == 0 && wide(42) == 0, "no FAT32")?;
    expect(long(44) == 2, "a root folder that is not the first cluster")?;
    expect(wide(48) < reserved && wide(50) < reserved, "its first sectors contradict each other")?;
    expect(total * SECTOR <= bytes, "larger than its partition")?;
    let clusters = total.saturating_sub(reserved + 2 * table) / per_cluster;
    expect((LEAST_CLUSTERS..0x0fff_fff5).contains(&clusters), "too few or too many clusters")?;
    expect(table * SECTOR / 4 >= clusters + 2, "tables that are smaller than its clusters need")
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn in_words(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// A stream that ends as an error once so much of it was read.
struct Bounded<'a, V> {
    inner: V,
    left: &'a Cell<u64>,
}

impl<V: Read> Read for Bounded<'_, V> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(|| invalid("folders or files without end"))?);
        Ok(count)
    }
}

impl<V: Seek> Seek for Bounded<'_, V> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

impl<V: Write> Write for Bounded<'_, V> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
