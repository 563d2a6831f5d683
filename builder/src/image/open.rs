//! Reading an image again: its partition table, its ESP, its UKI, the boot manifest in its initramfs. Bytes are
//! not trusted: everything is bounded, and what is missing has a stage's name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use orlop_chain::device::{ReadAt, Region};
use orlop_chain::gpt::{self, Entry, Table, types};
use orlop_chain::{Refusal, Stage};
use orlop_machine::esp;
use sha2::{Digest, Sha256};

use super::plan::SECTOR;
use crate::formats::cpio;
use crate::formats::pe;

/// Where the UKI lies on the ESP.
pub const UKI_PATH: &str = esp::UKI;
/// Where the boot manifest lies in the initramfs.
const MANIFEST_MEMBER: &str = "orlop/boot.json";
/// Where the release public key lies in the initramfs.
const KEY_MEMBER: &str = "orlop/release.pub";

/// A disk image that was opened.
#[derive(Debug)]
pub struct Image {
    /// Its path.
    pub path: PathBuf,
    /// Its partition table, with the state of both copies.
    pub table: Table,
    file: File,
}

/// The UKI's parts that the chain speaks of.
#[derive(Debug, Clone)]
pub struct Uki {
    /// All of it.
    pub bytes: Vec<u8>,
    /// `.cmdline`, without a NUL at its end.
    pub command_line: String,
    /// `.linux`.
    pub linux: Vec<u8>,
    /// `.initrd`.
    pub initramfs: Vec<u8>,
}

impl Image {
    /// Opens a disk image and reads its partition table.
    pub fn open(path: &Path) -> anyhow::Result<Image> {
        use anyhow::Context;
        let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
        if file.metadata()?.is_dir() {
            anyhow::bail!("{}: a folder; name the disk image (`NAME.raw`) in it", path.display());
        }
        let table = gpt::read(&file, SECTOR)
            .map_err(|error| Refusal::new(Stage::Gpt, error))
            .with_context(|| format!("{}: not a disk image of Orlop, or cut short", path.display()))?;
        let image = Image { path: path.into(), table, file };
        image.check_length()?;
        Ok(image)
    }

    fn check_length(&self) -> anyhow::Result<()> {
        let have = self.file.size()? / SECTOR;
        let need = self.table.gpt.total_sectors;
        if have < need {
            let reason = format!("{}: cut short, {have} sectors of {need}", self.path.display());
            return Err(Refusal::new(Stage::Gpt, reason).into());
        }
        Ok(())
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// A partition's bytes.
    pub fn region(&self, entry: &Entry) -> Region<&File> {
        Region::new(&self.file, entry.first * SECTOR, entry.sectors() * SECTOR)
    }

    /// The UKI on the ESP.
    pub fn uki(&self) -> Result<Uki, Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Uki, reason);
        let bytes = self.uki_file().map_err(refused)?;
        let parsed = pe::Image::parse(&bytes).map_err(|error| refused(format!("{UKI_PATH}: {error}")))?;
        let section = |name: &str| -> Result<Vec<u8>, Refusal> {
            let content = parsed.section(name).map(<[u8]>::to_vec);
            content.ok_or_else(|| refused(format!("{UKI_PATH}: no section {name}; it is no UKI of ours")))
        };
        let text = section(".cmdline")?;
        let command_line = String::from_utf8_lossy(text.strip_suffix(b"\0").unwrap_or(&text)).into_owned();
        let (linux, initramfs) = (section(".linux")?, section(".initrd")?);
        Ok(Uki { command_line, linux, initramfs, bytes })
    }

    /// The path of what lies on the ESP beside the UKI, if anything does.
    pub fn beside_uki(&self) -> Result<Option<String>, String> {
        let (volume, bytes) = self.esp()?;
        esp::beside_uki(volume, bytes).map_err(|error| error.to_string())
    }

    fn uki_file(&self) -> Result<Vec<u8>, String> {
        let (volume, bytes) = self.esp()?;
        esp::read_uki(volume, bytes).map_err(|error| error.to_string())
    }

    /// The ESP and its size, for `fatfs`: a reader that is not our writer.
    fn esp(&self) -> Result<(Cursor<Region<&File>>, u64), String> {
        let entry = self.table.gpt.of_type(types::ESP).next().ok_or("no EFI system partition")?;
        let region = self.region(entry);
        let bytes = region.size().map_err(|error| format!("the ESP: {error}"))?;
        Ok((Cursor::new(region), bytes))
    }
}

impl Uki {
    /// The exact bytes of the boot manifest.
    pub fn boot_manifest(&self) -> Result<Vec<u8>, Refusal> {
        self.member(MANIFEST_MEMBER)
    }

    /// The release public key's file.
    pub fn public_key(&self) -> Result<Vec<u8>, Refusal> {
        self.member(KEY_MEMBER)
    }

    fn member(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Manifest, reason);
        let members = cpio::read(&self.initramfs).map_err(|error| refused(format!("initramfs: {error}")))?;
        let found = members.iter().find(|member| member.path == path && member.is_file());
        found.map(|member| member.bytes.to_vec()).ok_or_else(|| refused(format!("the initramfs has no /{path}")))
    }
}

/// Bytes that a [`Cursor`] reads at a time.
const WINDOW: u64 = 64 << 10;

/// A region as a stream; writes are refused.
///
/// `fatfs` reads a cluster of content and four bytes of the table in turns, without a buffer: the last two windows are kept.
pub struct Cursor<R> {
    region: R,
    position: u64,
    windows: [(u64, Vec<u8>); 2],
}

impl<R: ReadAt> Cursor<R> {
    /// At the region's start.
    pub fn new(region: R) -> Self {
        Cursor { region, position: 0, windows: Default::default() }
    }

    /// What is left of the window from the position on.
    fn window(&mut self) -> io::Result<&[u8]> {
        let size = self.region.size()?;
        if self.position >= size {
            return Ok(&[]);
        }
        let start = self.position / WINDOW * WINDOW;
        let inside = |(at, bytes): &(u64, Vec<u8>)| *at == start && !bytes.is_empty();
        if !inside(&self.windows[0]) {
            self.windows.swap(0, 1);
        }
        let (at, bytes) = &mut self.windows[0];
        if *at != start || bytes.is_empty() {
            // Emptied first: a read that fails must not leave a window of something else.
            bytes.clear();
            let mut read = vec![0; (size - start).min(WINDOW) as usize];
            self.region.read_exact_at(&mut read, start)?;
            (*at, *bytes) = (start, read);
        }
        Ok(bytes.get((self.position - start) as usize..).unwrap_or_default())
    }
}

impl<R: ReadAt> Read for Cursor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let window = self.window()?;
        let count = buffer.len().min(window.len());
        buffer[..count].copy_from_slice(&window[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: ReadAt> Seek for Cursor<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.region.size()?.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl<R> io::Write for Cursor<R> {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SHA-256 of a region, or of a whole file, holes and all.
pub fn region_sha256(region: &(impl ReadAt + ?Sized)) -> io::Result<String> {
    let bytes = region.size()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < bytes {
        let count = buffer.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
        region.read_exact_at(&mut buffer[..count], at)?;
        hash.update(&buffer[..count]);
        at += count as u64;
    }
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::formats::fat;
    use proptest::prelude::*;

    const BYTES: u64 = 40 << 20;

    /// A small ESP with a UKI on it, as the builder writes it.
    static ESP: LazyLock<File> =
        LazyLock::new(|| written(&[(UKI_PATH, 20_000), ("EFI/Linux/another one with a long name.efi", 100)]));

    fn written(files: &[(&str, u64)]) -> File {
        let volume = fat::Volume { bytes: BYTES, id: 1, label: "ESP".into(), epoch: 1_763_948_096 };
        let plan = fat::Plan::new(&volume, files).unwrap();
        let file = tempfile::tempfile().unwrap();
        file.set_len(BYTES).unwrap();
        fat::write(&plan, &file, 0, &mut |index| Ok(Box::new(io::repeat(7).take(files[index].1)))).unwrap();
        file
    }

    /// A file with some of its bytes changed.
    struct Changed<'a>(&'a File, Vec<(u64, u8)>);

    impl ReadAt for Changed<'_> {
        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            ReadAt::read_exact_at(self.0, buffer, offset)?;
            for (at, byte) in &self.1 {
                let inside = at.checked_sub(offset).and_then(|at| buffer.get_mut(at as usize));
                inside.into_iter().for_each(|place| *place = *byte);
            }
            Ok(())
        }

        fn size(&self) -> io::Result<u64> {
            Ok(BYTES)
        }
    }

    fn read(file: &File, changes: Vec<(u64, u8)>) -> io::Result<Vec<u8>> {
        esp::read_uki(Cursor::new(Changed(file, changes)), BYTES)
    }

    fn beside(file: &File, changes: Vec<(u64, u8)>) -> io::Result<Option<String>> {
        esp::beside_uki(Cursor::new(Changed(file, changes)), BYTES)
    }

    /// Where tables and folders lie: both tables' first sectors, and the first clusters.
    fn places(file: &File) -> [u64; 3] {
        let sector = ReadAt::bytes_at(file, 0, 512).unwrap();
        let table = u64::from(u32::from_le_bytes([sector[36], sector[37], sector[38], sector[39]])) * SECTOR;
        let reserved = u64::from(u16::from_le_bytes([sector[14], sector[15]])) * SECTOR;
        [reserved, reserved + table, reserved + 2 * table]
    }

    #[test]
    fn a_cursor_reads_what_lies_there_across_its_windows() {
        let bytes: Vec<u8> = (0..5 * WINDOW / 2).map(|at| (at % 251) as u8).collect();
        let mut cursor = Cursor::new(bytes.as_slice());
        // Back and forth, as fatfs goes, over the edge of a window, to the end and behind it.
        for at in [0, WINDOW - 3, 7, 2 * WINDOW - 1, WINDOW, 5 * WINDOW / 2 - 2, 0, 5 * WINDOW / 2, 9 * WINDOW] {
            cursor.seek(SeekFrom::Start(at)).unwrap();
            let mut read = Vec::new();
            cursor.by_ref().take(WINDOW + 5).read_to_end(&mut read).unwrap();
            let from = bytes.len().min(at as usize);
            assert_eq!(read, bytes[from..bytes.len().min(from + WINDOW as usize + 5)], "at {at}");
        }
    }

    #[test]
    fn a_boot_sector_that_contradicts_itself_is_refused() {
        let file = &*ESP;
        assert_eq!(read(file, vec![]).unwrap(), vec![7; 20_000]);
        let sector = ReadAt::bytes_at(file, 0, 512).unwrap();
        for (at, mask) in [(11, 4), (13, 3), (16, 1), (39, 0x80), (44, 2), (44, 1), (35, 0x80), (48, 0xff), (510, 1)] {
            let error = read(file, vec![(at, sector[at as usize] ^ mask)]).unwrap_err().to_string();
            assert!(error.starts_with("the ESP is no FAT: "), "byte {at}: {error}");
        }
    }

    #[test]
    fn what_lies_beside_the_uki_is_named() {
        let path = "\\EFI\\Linux on the ESP".to_owned();
        assert_eq!(beside(&ESP, vec![]).unwrap(), Some(path));
        let alone = written(&[(UKI_PATH, 20_000)]);
        assert_eq!(beside(&alone, vec![]).unwrap(), None);
        let extra = "EFI/BOOT/BOOTX64.EFI.extra.d/a.cred";
        let with = written(&[(UKI_PATH, 20_000), (extra, 1)]);
        assert_eq!(beside(&with, vec![]).unwrap().unwrap(), "\\EFI\\BOOT\\BOOTX64.EFI.extra.d on the ESP");
        let twice = places(&alone)[2];
        let root = ReadAt::bytes_at(&alone, twice, 96).unwrap();
        let at = (0..3).find(|entry| root[entry * 32..].starts_with(b"EFI  ")).unwrap() * 32;
        // Its entry a second time: which of them a firmware follows is its own choice.
        let again = (0..32).map(|byte| (twice + (at + 32 + byte) as u64, root[at + byte])).collect();
        assert_eq!(beside(&alone, again).unwrap().unwrap(), "\\EFI on the ESP");
    }

    #[test]
    fn clusters_and_entries_that_lead_nowhere_are_errors() {
        let file = &*ESP;
        let [table, _, folder] = places(file);
        // The root folder follows itself without end; nothing in it is what is looked for.
        let mut changes = vec![(table + 8, 2), (table + 9, 0), (table + 10, 0), (table + 11, 0)];
        changes.extend((0..4096 / 32).map(|entry| (folder + entry * 32, b'X')));
        assert!(read(file, changes.clone()).unwrap_err().to_string().contains("without end"));
        // Its first entry is the volume's name, its second one is no folder on the way to the UKI.
        assert!(beside(file, changes).unwrap().is_some_and(|path| path.starts_with("\\X")));
        // A table and folder entries that say cluster 1, which does not exist.
        for at in (table + 8..table + 64).step_by(4) {
            let changes = vec![(at, 1), (at + 1, 0), (at + 2, 0), (at + 3, 0)];
            let _ = (read(file, changes.clone()), beside(file, changes));
        }
        for at in (folder..folder + 3 * 4096).step_by(32) {
            let changes = vec![(at + 20, 0), (at + 26, 1), (at + 27, 0)];
            let _ = (read(file, changes.clone()), beside(file, changes));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn no_change_of_an_esp_panics(changes in prop::collection::vec((0_usize..4, 0_u64..1024, any::<u8>()), 1..12)) {
            let file = &*ESP;
            let [table, copy, folder] = places(file);
            let place = |area: usize| [0, table, copy, folder][area];
            let changes: Vec<_> = changes.iter().map(|(area, at, byte)| (place(*area) + at, *byte)).collect();
            let _ = (read(file, changes.clone()), beside(file, changes));
        }
    }
}
