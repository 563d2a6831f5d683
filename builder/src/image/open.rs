//! Reading an image again: its partition table, its ESP, its UKI, the boot manifest in its initramfs. Bytes are
//! not trusted: everything is bounded, and what is missing has a stage's name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use orlop_chain::device::{ReadAt, Region};
use orlop_chain::gpt::{self, Entry, Table, types};
use orlop_chain::{Refusal, Stage};
use sha2::{Digest, Sha256};

use super::plan::SECTOR;
use crate::formats::cpio;
use crate::formats::pe;

/// Where the UKI lies on the ESP.
pub const UKI_PATH: &str = "EFI/BOOT/BOOTX64.EFI";
/// Where the boot manifest lies in the initramfs.
const MANIFEST_MEMBER: &str = "orlop/boot.json";
/// Where the release public key lies in the initramfs.
const KEY_MEMBER: &str = "orlop/release.pub";
/// No UKI of ours is larger; what is larger is not read into memory.
const MAX_UKI: u64 = 256 << 20;

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

    /// A partition's bytes.
    pub fn region(&self, entry: &Entry) -> Region<&File> {
        Region::new(&self.file, entry.first * SECTOR, entry.sectors() * SECTOR)
    }

    /// The UKI on the ESP.
    pub fn uki(&self) -> Result<Uki, Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Uki, reason);
        let bytes = self.esp_file(UKI_PATH).map_err(refused)?;
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

    /// A file on the ESP, read by `fatfs`: a reader that is not our writer.
    fn esp_file(&self, path: &str) -> Result<Vec<u8>, String> {
        let entry = self.table.gpt.of_type(types::ESP).next().ok_or("no EFI system partition")?;
        let cursor = Cursor::new(self.region(entry));
        let options = fatfs::FsOptions::new().update_accessed_date(false);
        let volume = fatfs::FileSystem::new(cursor, options).map_err(|error| format!("the ESP is no FAT: {error}"))?;
        let root = volume.root_dir();
        let file =
            root.open_file(path).map_err(|error| format!("\\{} on the ESP: {error}", path.replace('/', "\\")))?;
        let mut bytes = Vec::new();
        file.take(MAX_UKI).read_to_end(&mut bytes).map_err(|error| format!("{path} on the ESP: {error}"))?;
        Ok(bytes)
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

/// A region as a stream; writes are refused.
pub struct Cursor<R> {
    region: R,
    position: u64,
}

impl<R: ReadAt> Cursor<R> {
    /// At the region's start.
    pub fn new(region: R) -> Self {
        Cursor { region, position: 0 }
    }
}

impl<R: ReadAt> Read for Cursor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.region.size()?.saturating_sub(self.position);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.region.read_exact_at(&mut buffer[..count], self.position)?;
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
