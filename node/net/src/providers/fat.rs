//! FAT volumes, read only: whoever made the disk is not trusted, so every walk has an end.

use super::{Fetched, read};
use fatfs::{Dir, FileSystem, FsOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// A directory with more entries than this is not searched further.
const ENTRIES: usize = 4096;

/// What is read cannot be written.
struct ReadOnly<R>(R);

impl<R: Read> Read for ReadOnly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Seek> Seek for ReadOnly<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl<R> Write for ReadOnly<R> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The file of a path on a volume; `None`: this is no FAT volume, has another label than the one asked for, or no such
/// file.
pub fn file(mut volume: impl Read + Seek, label: Option<&str>, path: &[&str]) -> Option<Fetched> {
    volume.seek(SeekFrom::Start(0)).ok()?;
    let volume = FileSystem::new(ReadOnly(volume), FsOptions::new().update_accessed_date(false)).ok()?;
    let named = |name: &str| label.is_none_or(|label| name.trim_end().eq_ignore_ascii_case(label));
    // The label is in the boot sector, in the root directory, or in both.
    if !named(&volume.volume_label())
        && !volume.read_volume_label_from_root_dir().ok().flatten().is_some_and(|name| named(&name))
    {
        return None;
    }
    find(volume.root_dir(), path)
}

fn find<R: Read + Seek>(folder: Dir<'_, ReadOnly<R>>, path: &[&str]) -> Option<Fetched> {
    let (name, rest) = path.split_first()?;
    let entry = folder.iter().take(ENTRIES).map_while(Result::ok);
    let entry = entry.into_iter().find(|entry| entry.file_name().eq_ignore_ascii_case(name))?;
    match (rest, entry.is_file()) {
        ([], true) => Some(read(entry.to_file())),
        ([], false) | (_, true) => None,
        (rest, false) => find(entry.to_dir(), rest),
    }
}
