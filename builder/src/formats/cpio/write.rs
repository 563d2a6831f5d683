//! Writing an archive.

use std::collections::BTreeSet;

use super::format::{CHAR_DEVICE, FILE, FOLDER, Header, LINK, MAX_NAME, TRAILER};

/// A member to be written. Its owner is root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path without a leading slash.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder {
        /// Permissions.
        mode: u32,
    },
    /// A file.
    File {
        /// Permissions.
        mode: u32,
        /// Content.
        bytes: Vec<u8>,
    },
    /// A symbolic link.
    Link {
        /// Where it points to.
        target: String,
    },
    /// A character device.
    CharDevice {
        /// Permissions.
        mode: u32,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Why an archive was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A path that the kernel would not take, or that leaves the archive's root.
    #[error("cpio: `{0}` is not a relative path in normal form, or too long")]
    Path(String),
    /// A path twice.
    #[error("cpio: `{0}` twice")]
    Twice(String),
    /// A member without the folder that it is in: the kernel would leave it out silently.
    #[error("cpio: `{0}` comes before its folder")]
    NoFolder(String),
    /// Bits that are no permissions.
    #[error("cpio: `{path}`: mode {mode:o}")]
    Mode {
        /// The member.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A file of 4 GiB or more.
    #[error("cpio: `{0}` has 4 GiB or more")]
    TooBig(String),
    /// A time that 32 bits cannot hold.
    #[error("cpio: time {0} is after 2106")]
    Time(u64),
}

/// The archive of `entries` in the order given, every time in it `epoch`.
pub fn write(entries: &[Entry], epoch: u64) -> Result<Vec<u8>, WriteError> {
    let mtime = u32::try_from(epoch).map_err(|_| WriteError::Time(epoch))?;
    let mut folders = BTreeSet::from([""]);
    let mut seen = BTreeSet::new();
    let mut archive = Vec::new();
    for (inode, entry) in (1..).zip(entries) {
        check_path(&entry.path)?;
        if !seen.insert(&entry.path) {
            return Err(WriteError::Twice(entry.path.clone()));
        }
        let parent = entry.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !folders.contains(parent) {
            return Err(WriteError::NoFolder(entry.path.clone()));
        }
        if let Kind::Folder { .. } = entry.kind {
            folders.insert(&entry.path);
        }
        append(&mut archive, entry, Header { inode, mtime, ..Header::default() })?;
    }
    let trailer = Header { links: 1, name_size: TRAILER.len() as u32 + 1, ..Header::default() };
    member(&mut archive, trailer, TRAILER, &[]);
    // As cpio(1) does: whole blocks of 512.
    archive.resize(archive.len().next_multiple_of(512), 0);
    Ok(archive)
}

fn append(archive: &mut Vec<u8>, entry: &Entry, header: Header) -> Result<(), WriteError> {
    let (mode, links, device, bytes): (u32, u32, (u32, u32), &[u8]) = match &entry.kind {
        Kind::Folder { mode } => (FOLDER | permissions(entry, *mode)?, 2, (0, 0), &[]),
        Kind::File { mode, bytes } => (FILE | permissions(entry, *mode)?, 1, (0, 0), bytes),
        Kind::Link { target } => (LINK | 0o777, 1, (0, 0), target.as_bytes()),
        Kind::CharDevice { mode, major, minor } => (CHAR_DEVICE | permissions(entry, *mode)?, 1, (*major, *minor), &[]),
    };
    let size = u32::try_from(bytes.len()).map_err(|_| WriteError::TooBig(entry.path.clone()))?;
    let name_size = entry.path.len() as u32 + 1;
    member(archive, Header { mode, links, device, size, name_size, ..header }, &entry.path, bytes);
    Ok(())
}

fn member(archive: &mut Vec<u8>, header: Header, name: &str, bytes: &[u8]) {
    archive.extend_from_slice(header.encode().as_bytes());
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn permissions(entry: &Entry, mode: u32) -> Result<u32, WriteError> {
    if mode & !0o7777 == 0 { Ok(mode) } else { Err(WriteError::Mode { path: entry.path.clone(), mode }) }
}

fn check_path(path: &str) -> Result<(), WriteError> {
    let normal = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if normal && path.len() < MAX_NAME && !path.contains('\0') && path != TRAILER {
        return Ok(());
    }
    Err(WriteError::Path(path.to_owned()))
}
