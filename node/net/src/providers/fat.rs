//! FAT volumes, read only: whoever made the disk is not trusted, so every walk has an end.

use super::{Fetched, read};
use fatfs::{Dir, FileSystem, FsOptions};
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The most bytes that are read of one volume: a document, and some six thousand entries of folders. A folder's clusters can
/// follow each other in a circle, and the crate goes round it within one call: past deleted entries, and on the way to the
/// volume's label. Only what it reads can be counted.
const MOST: usize = 256 << 10;

/// A volume of which so much may still be read, and which cannot be written.
struct ReadOnly<'a, R> {
    volume: R,
    left: &'a Cell<usize>,
}

impl<R: Read> Read for ReadOnly<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other(too_much()));
        }
        let length = buffer.len().min(left);
        let read = self.volume.read(&mut buffer[..length])?;
        self.left.set(left - read);
        Ok(read)
    }
}

impl<R: Seek> Seek for ReadOnly<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.volume.seek(to)
    }
}

impl<R> Write for ReadOnly<'_, R> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_much() -> String {
    format!("more than {MOST} bytes of the volume would have to be read; put fewer files beside it")
}

/// The file of a path on a volume; `None`: this is no FAT volume, has another label than the one asked for, or no such
/// file. A volume of the right label that was not read to its end is an error: the file may be there.
pub fn file(mut volume: impl Read + Seek, label: Option<&str>, path: &[&str]) -> Option<Fetched> {
    volume.seek(SeekFrom::Start(0)).ok()?;
    let left = Cell::new(MOST);
    let volume = ReadOnly { volume, left: &left };
    let volume = FileSystem::new(volume, FsOptions::new().update_accessed_date(false)).ok()?;
    let named = |name: &str| label.is_none_or(|label| name.trim_end().eq_ignore_ascii_case(label));
    // The label is in the boot sector, in the root directory, or in both.
    if !named(&volume.volume_label())
        && !volume.read_volume_label_from_root_dir().ok().flatten().is_some_and(|name| named(&name))
    {
        return None;
    }
    match find(volume.root_dir(), path) {
        None if left.get() == 0 => Some(Err(too_much())),
        found => found,
    }
}

fn find<R: Read + Seek>(folder: Dir<'_, ReadOnly<'_, R>>, path: &[&str]) -> Option<Fetched> {
    let (name, rest) = path.split_first()?;
    let entry = folder.iter().map_while(Result::ok).find(|entry| entry.file_name().eq_ignore_ascii_case(name))?;
    match (rest, entry.is_file()) {
        ([], true) => Some(read(entry.to_file())),
        ([], false) | (_, true) => None,
        (rest, false) => find(entry.to_dir(), rest),
    }
}

#[cfg(test)]
#[path = "fat_tests.rs"]
mod tests;
