//! An unpacked layer on the state partition beside its tar in the root. Whatever lies there may be an attacker's: no link
//! is followed, nothing outside of the folder is opened, and what cannot be read differs.

use crate::layer::{Entry, Layer};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// So many differences are told; more say no more.
const MOST: usize = 3;
/// Read at once.
const PIECE: usize = 64 << 10;

/// How a folder is opened.
pub const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Opens a folder whose path has no link in it.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(CWD, path, FOLDER, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Opens what is below a folder, without leaving it or its filesystem.
pub fn open_below(folder: BorrowedFd<'_>, path: impl AsRef<OsStr>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let path = if path.as_ref().is_empty() { OsStr::new(".") } else { path.as_ref() };
    rustix::fs::openat2(folder, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), resolve)
}

/// What of the folder differs from the layer, in words; the error is the tar's.
pub fn compare(folder: BorrowedFd<'_>, layer: &Layer, tar: &mut (impl Read + Seek)) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, entry) in layer {
        let what = match judge(folder, layer, path, entry) {
            Ok(None) if entry.kind == FileType::RegularFile => content(folder, path, entry, tar)?,
            Ok(what) => what,
            Err(Errno::NOENT) => Some("missing".to_owned()),
            Err(errno) => Some(format!("cannot be read: {errno}")),
        };
        found.extend(what.map(|what| format!("/{}: {what}", String::from_utf8_lossy(path))));
        if found.len() >= MOST {
            break;
        }
    }
    Ok(found)
}

/// Everything of one path but a file's content.
fn judge(folder: BorrowedFd<'_>, layer: &Layer, path: &[u8], entry: &Entry) -> rustix::io::Result<Option<String>> {
    let place = open_below(folder, OsStr::from_bytes(path), OFlags::PATH)?;
    let stat = rustix::fs::fstat(&place)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind != entry.kind {
        return Ok(Some(format!("type {kind:?}")));
    }
    let mode = stat.st_mode & 0o7777;
    if kind != FileType::Symlink && mode != entry.mode {
        return Ok(Some(format!("mode {mode:04o}")));
    }
    if (stat.st_uid, stat.st_gid) != entry.owner {
        return Ok(Some(format!("owner {}:{}", stat.st_uid, stat.st_gid)));
    }
    // By a second name somebody could write to it later.
    if kind != FileType::Directory && stat.st_nlink != 1 {
        return Ok(Some(format!("{} names", stat.st_nlink)));
    }
    let attributes = attributes(&place)?;
    if attributes != entry.xattrs {
        let names: Vec<_> = attributes.keys().map(|name| String::from_utf8_lossy(name)).collect();
        return Ok(Some(format!("extended attributes [{}]", names.join(", "))));
    }
    Ok(match kind {
        FileType::RegularFile if stat.st_size as u64 != entry.content.1 => Some(format!("{} bytes", stat.st_size)),
        FileType::Directory => stranger(folder, layer, path)?,
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&place, c"", Vec::new())?.into_bytes();
            (target != entry.target).then(|| format!("link to {}", String::from_utf8_lossy(&target)))
        }
        FileType::CharacterDevice | FileType::BlockDevice => {
            let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            (device != entry.device).then(|| format!("device {}:{}", device.0, device.1))
        }
        _ => None,
    })
}

/// The first name in a folder that the layer does not have.
fn stranger(folder: BorrowedFd<'_>, layer: &Layer, path: &[u8]) -> rustix::io::Result<Option<String>> {
    let opened = open_below(folder, OsStr::from_bytes(path), FOLDER)?;
    for name in Dir::read_from(&opened)? {
        let name = name?;
        let name = name.file_name().to_bytes();
        let whole = if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') };
        if name != b"." && name != b".." && !layer.contains_key(&whole) {
            return Ok(Some(format!("`{}` is in it", String::from_utf8_lossy(name))));
        }
    }
    Ok(None)
}

/// By its place in `/proc`: what was opened by `O_PATH` has no other way to them.
fn attributes(place: &OwnedFd) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    // Both are as long as the kernel lets them be.
    let mut names = vec![0; 64 << 10];
    let mut value = vec![0; 64 << 10];
    let length = match rustix::fs::listxattr(&path, names.as_mut_slice()) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let mut attributes = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::getxattr(&path, name, value.as_mut_slice())?;
        attributes.insert(name.to_vec(), value[..length].to_vec());
    }
    Ok(attributes)
}

fn content(
    folder: BorrowedFd<'_>,
    path: &[u8],
    entry: &Entry,
    tar: &mut (impl Read + Seek),
) -> io::Result<Option<String>> {
    let unreadable = |error: io::Error| Ok(Some(format!("cannot be read: {error}")));
    let mut file = match open_below(folder, OsStr::from_bytes(path), OFlags::NONBLOCK) {
        Ok(file) => File::from(file),
        Err(errno) => return unreadable(errno.into()),
    };
    tar.seek(SeekFrom::Start(entry.content.0))?;
    let mut wanted = tar.take(entry.content.1);
    let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let length = wanted.read(&mut ours)?;
        if length == 0 {
            return Ok(None);
        }
        if let Err(error) = file.read_exact(&mut theirs[..length]) {
            return unreadable(error);
        }
        if ours[..length] != theirs[..length] {
            return Ok(Some("content".to_owned()));
        }
    }
}

/// What a name in a folder is other than one regular file of this size, without opening it.
pub fn file(folder: &Path, name: &str, size: i64) -> io::Result<Option<String>> {
    let place = open_below(open_folder(folder)?.as_fd(), name, OFlags::PATH)?;
    let stat = rustix::fs::fstat(&place)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_nlink != 1 => Some(format!("{} names", stat.st_nlink)),
        FileType::RegularFile if stat.st_size != size => Some(format!("{} bytes", stat.st_size)),
        FileType::RegularFile => None,
        kind => Some(format!("type {kind:?}")),
    })
}

/// Takes a file away that is named by a folder and a name; it may be gone.
pub fn unlink(folder: &Path, name: &str) -> io::Result<()> {
    let folder = match open_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folder => folder?,
    };
    match rustix::fs::unlinkat(folder.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
