//! A layer's tar as what must lie on the disk once it is unpacked.

use rustix::fs::FileType;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use tar::{Entry as Member, EntryType};

/// Before an extended attribute's name in a PAX header.
const XATTR: &str = "SCHILY.xattr.";
/// Before the name of what an upper layer takes away.
const WHITEOUT: &[u8] = b".wh.";

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its type.
    pub kind: FileType,
    /// Permissions, set-user-ID and its like included.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Where a file's content lies in the tar, and its length.
    pub content: (u64, u64),
    /// Where a symbolic link points to.
    pub target: Vec<u8>,
    /// A device's numbers.
    pub device: (u32, u32),
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Entry {
    /// A folder that no header describes: containerd makes it as the user that it runs as, who is ours too.
    fn folder() -> Self {
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self {
            kind: FileType::Directory,
            mode: 0o755,
            owner,
            content: (0, 0),
            target: Vec::new(),
            device: (0, 0),
            xattrs: BTreeMap::new(),
        }
    }
}

/// Everything of a layer by its path, without a slash at either end; the empty path is the layer's own folder.
pub type Layer = BTreeMap<Vec<u8>, Entry>;

/// Reads a tar. What cannot be compared (whiteouts, hard links) is an error: no layer that the builder makes has it.
pub fn read(tar: impl Read + Seek) -> io::Result<Layer> {
    let mut layer = Layer::from([(Vec::new(), Entry::folder())]);
    for member in tar::Archive::new(tar).entries_with_seek()? {
        let mut member = member?;
        if member.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let path = path(&member.path_bytes())?;
        // containerd leaves the layer's own folder as it makes it, whatever the tar says.
        if path.is_empty() {
            continue;
        }
        let entry = entry(&mut member).map_err(|error| wrong(&path, error))?;
        for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            layer.entry(path[..end].to_vec()).or_insert_with(Entry::folder);
        }
        if layer.insert(path.clone(), entry).is_some() {
            return Err(wrong(&path, "twice, or after what lies in it"));
        }
    }
    Ok(layer)
}

fn path(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && part != b".").collect();
    match parts.iter().find(|part| **part == b".." || part.starts_with(WHITEOUT)) {
        Some(part) => Err(wrong(bytes, format!("`{}` cannot be compared", String::from_utf8_lossy(part)))),
        None => Ok(parts.join(&b'/')),
    }
}

fn entry(member: &mut Member<'_, impl Read>) -> io::Result<Entry> {
    let header = member.header();
    let kind = match header.entry_type() {
        kind if kind.is_file() => FileType::RegularFile,
        EntryType::Directory => FileType::Directory,
        EntryType::Symlink => FileType::Symlink,
        EntryType::Char => FileType::CharacterDevice,
        EntryType::Block => FileType::BlockDevice,
        EntryType::Fifo => FileType::Fifo,
        other => return Err(io::Error::other(format!("its type {other:?} cannot be compared"))),
    };
    let number = |id: u64| u32::try_from(id).map_err(io::Error::other);
    let mut entry = Entry {
        kind,
        mode: header.mode()? & 0o7777,
        owner: (number(header.uid()?)?, number(header.gid()?)?),
        content: (member.raw_file_position(), member.size()),
        target: member.link_name_bytes().unwrap_or_default().into_owned(),
        // Other headers need not have numbers there.
        device: match kind {
            FileType::CharacterDevice | FileType::BlockDevice => {
                (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0))
            }
            _ => (0, 0),
        },
        xattrs: BTreeMap::new(),
    };
    for extension in member.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if let Some(name) = extension.key().ok().and_then(|key| key.strip_prefix(XATTR)) {
            entry.xattrs.insert(name.as_bytes().to_vec(), extension.value_bytes().to_vec());
        }
    }
    Ok(entry)
}

fn wrong(path: &[u8], reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{}: {reason}", String::from_utf8_lossy(path)))
}

/// A part of a file as a file of its own.
pub struct Section<'a, R> {
    reader: &'a mut R,
    start: u64,
    length: u64,
    at: u64,
}

impl<'a, R: Read + Seek> Section<'a, R> {
    /// The part from `start`.
    pub fn new(reader: &'a mut R, start: u64, length: u64) -> Self {
        Self { reader, start, length, at: 0 }
    }
}

impl<R: Read + Seek> Read for Section<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = (self.length.saturating_sub(self.at)).min(buffer.len() as u64) as usize;
        self.reader.seek(SeekFrom::Start(self.start + self.at))?;
        let read = self.reader.read(&mut buffer[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Section<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "before the section"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn tar(members: &[(&str, EntryType)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind) in members {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            builder.append_data(&mut header, path, io::empty()).expect("appended");
        }
        builder.into_inner().expect("finished")
    }

    #[test]
    fn folders_that_nobody_names_are_there() {
        let layer = read(Cursor::new(tar(&[("a/b/c", EntryType::Regular)]))).expect("a layer");
        let paths: Vec<&[u8]> = layer.keys().map(Vec::as_slice).collect();
        assert_eq!(paths, [&b""[..], b"a", b"a/b", b"a/b/c"]);
        assert_eq!((layer[&b"a/b"[..]].kind, layer[&b"a/b/c"[..]].mode), (FileType::Directory, 0o4755));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for (path, kind) in
            [("a/.wh.b", EntryType::Regular), ("b", EntryType::Link), (".wh..wh..opq", EntryType::Regular)]
        {
            let error = read(Cursor::new(tar(&[(path, kind)]))).expect_err(path);
            assert!(error.to_string().contains("cannot be compared"), "{error}");
        }
        assert!(read(Cursor::new(tar(&[("a", EntryType::Regular), ("a", EntryType::Regular)]))).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_layer_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..2048), at in 0_usize..1536, byte: u8) {
            let _ = read(Cursor::new(&bytes));
            bytes = tar(&[("a", EntryType::Regular)]);
            let end = bytes.len();
            bytes[at % end] = byte;
            let _ = read(Cursor::new(&bytes));
        }
    }
}
