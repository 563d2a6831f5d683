//! A disk image read from outside: kernel, initramfs and command line of its UKI, for a direct boot.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use object::read::pe::PeFile64;
use object::{Object, ObjectSection};

use crate::{Error, Result, esp};

/// What a direct boot needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectBoot {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The kernel's command line.
    pub command_line: String,
}

/// One partition of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name in the GPT.
    pub name: String,
    /// First byte on the disk.
    pub offset: u64,
    /// Its size in bytes.
    pub length: u64,
}

/// A disk image whose partition table was read and lies within the file.
#[derive(Clone, Debug)]
pub struct Image {
    path: PathBuf,
    /// Its partitions, as they lie on the disk.
    pub partitions: Vec<Partition>,
}

impl Image {
    /// Reads the partition table; an image that was cut short is an error.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        let path = path.as_ref().to_owned();
        let mut file = File::open(&path).map_err(Error::file("opening the image", &path))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(wrong(&path, "a folder; name the disk image (`NAME.raw`) in it".into()));
        }
        let length = file.seek(SeekFrom::End(0)).map_err(Error::file("reading", &path))?;
        let partitions = read_table(&file).map_err(|reason| wrong(&path, reason))?;
        if let Some(beyond) = partitions.iter().find(|part| part.offset.saturating_add(part.length) > length) {
            let end = beyond.offset.saturating_add(beyond.length);
            let reason = format!(
                "cut short: partition {} ends at byte {end}, the file has {length}; build or copy it again",
                beyond.name
            );
            return Err(wrong(&path, reason));
        }
        Ok(Image { path, partitions })
    }

    /// The partition of this name.
    pub fn partition(&self, name: &str) -> Result<&Partition> {
        let found = self.partitions.iter().find(|part| part.name == name);
        found.ok_or_else(|| wrong(&self.path, format!("has no partition named {name}; is it an Orlop image?")))
    }

    /// The UKI's bytes.
    pub fn uki(&self) -> Result<Vec<u8>> {
        let partition = self.partition("esp")?;
        let file = File::open(&self.path).map_err(Error::file("opening the image", &self.path))?;
        let length = partition.length;
        let window = Window { file, start: partition.offset, length, at: 0 };
        esp::read_uki(window, length).map_err(|error| wrong(&self.path, format!("no UKI: {error}")))
    }

    /// Takes kernel, initramfs and command line out of the UKI into files in `folder`.
    pub fn direct_boot(&self, folder: &Path) -> Result<DirectBoot> {
        let uki = self.uki()?;
        let section = |name| section(&uki, name).map_err(|reason| wrong(&self.path, format!("its UKI {reason}")));
        let command_line = String::from_utf8_lossy(section(".cmdline")?).trim_end_matches('\0').to_owned();
        let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(Error::file("writing", &path))?;
            Ok(path)
        };
        Ok(DirectBoot {
            kernel: write("kernel", section(".linux")?)?,
            initramfs: write("initramfs", section(".initrd")?)?,
            command_line,
        })
    }
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Image { path: path.to_owned(), reason }
}

/// Logical sectors of every image.
const SECTOR: u64 = 512;

fn read_table(file: &File) -> Result<Vec<Partition>, String> {
    let table = orlop_chain::gpt::read(file, SECTOR).map_err(|error| format!("not a disk image: {error}"))?;
    let partition = |entry: &orlop_chain::gpt::Entry| Partition {
        name: entry.name.clone(),
        offset: entry.first.saturating_mul(SECTOR),
        length: entry.sectors().saturating_mul(SECTOR),
    };
    Ok(table.gpt.entries.iter().map(partition).collect())
}

/// The content of a section, without the padding to the file alignment.
fn section<'a>(uki: &'a [u8], name: &str) -> Result<&'a [u8], String> {
    let pe = PeFile64::parse(uki).map_err(|error| format!("is not a PE file: {error}"))?;
    let section = pe.section_by_name(name).ok_or_else(|| format!("has no section {name}"))?;
    // `.linux` has a VirtualSize greater than its bytes, so that a stub may start the kernel in place: `object` cuts to what
    // is there.
    section.data().map_err(|error| format!("has a broken section {name}: {error}"))
}

/// A partition as a stream of its own; `fatfs` wants it writable, which it is not.
struct Window {
    file: File,
    start: u64,
    length: u64,
    at: u64,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let left = self.length.saturating_sub(self.at).min(buffer.len() as u64) as usize;
        let length = self.file.read(&mut buffer[..left])?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl Write for Window {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_said_to_be_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 1, 512, 1 << 20] {
            file.as_file().set_len(length).unwrap();
            let error = Image::open(file.path()).unwrap_err().to_string();
            assert!(error.contains("not a disk image"), "{error}");
        }
        let error = Image::open("/nonexistent/image.raw").unwrap_err().to_string();
        assert!(error.contains("opening the image /nonexistent/image.raw"), "{error}");
    }

    #[test]
    fn what_is_no_uki_is_said_to_be_none() {
        assert!(section(b"MZ", ".linux").unwrap_err().contains("not a PE file"));
    }
}
