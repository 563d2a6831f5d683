//! Lists an image's files, and reads those that are not compressed.

use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use super::format::{DIRENT, Inode, SLOT, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET, Superblock, u16_at, u64_at};

/// Why an image cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ErofsError {
    /// Reading failed, at an offset into the image.
    #[error("offset {offset}: {source}; the image is cut short or unreadable")]
    Read {
        /// Where.
        offset: u64,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that no EROFS image has there.
    #[error("offset {offset}: {what}")]
    Invalid {
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

/// A path of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Absolute path.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file before compression.
    pub size: u64,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    Folder,
    File,
    Link,
    Other,
}

/// Folders deeper than this do not exist in a root; a loop of folders does.
const MAX_DEPTH: usize = 64;
/// No folder, link or document is larger.
const MAX_META: u64 = 16 << 20;

/// Lists all paths below the root, sorted.
pub fn list(image: &mut (impl Read + Seek)) -> Result<Vec<FileEntry>, ErofsError> {
    let mut reader = Reader::open(image)?;
    let mut entries = Vec::new();
    reader.walk(reader.superblock.root, "", 0, &mut entries)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// The content of the file at an absolute path (no link is followed). A file that is compressed is an error:
/// `orlop build` leaves alone what is to be read without a kernel.
pub fn read(image: &mut (impl Read + Seek), path: &str) -> Result<Vec<u8>, ErofsError> {
    let mut reader = Reader::open(image)?;
    let mut node = reader.superblock.root;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let at = reader.offset(node)?;
        let names = reader.names(at, path)?;
        let found = names.into_iter().find(|(found, _)| found == name);
        node = found.ok_or_else(|| invalid(at, format!("no {path}")))?.1;
    }
    let at = reader.offset(node)?;
    let inode = reader.inode(at)?;
    reader.data(at, &inode)
}

struct Reader<'a, R> {
    image: &'a mut R,
    superblock: Superblock,
}

impl<'a, R: Read + Seek> Reader<'a, R> {
    fn open(image: &'a mut R) -> Result<Self, ErofsError> {
        let mut bytes = [0; SUPERBLOCK_BYTES];
        let mut reader = Reader { image, superblock: Superblock { block_bits: 12, root: 0, inodes: 0, meta_block: 0 } };
        reader.read(SUPERBLOCK_OFFSET, &mut bytes)?;
        reader.superblock = Superblock::parse(&bytes)
            .filter(|superblock| (9..=16).contains(&superblock.block_bits))
            .ok_or_else(|| invalid(SUPERBLOCK_OFFSET, "no EROFS superblock".into()))?;
        Ok(reader)
    }

    fn walk(&mut self, node: u64, path: &str, depth: usize, entries: &mut Vec<FileEntry>) -> Result<(), ErofsError> {
        let at = self.offset(node)?;
        if depth > MAX_DEPTH || entries.len() as u64 > self.superblock.inodes.saturating_mul(2).saturating_add(16) {
            return Err(invalid(at, format!("`{path}`: folders without end")));
        }
        for (name, child) in self.names(at, path)? {
            if name == "." || name == ".." {
                continue;
            }
            let child_path = format!("{path}/{name}");
            let entry = self.entry(child, &child_path)?;
            let is_folder = entry.kind == Kind::Folder;
            entries.push(entry);
            if is_folder {
                self.walk(child, &child_path, depth + 1, entries)?;
            }
        }
        Ok(())
    }

    /// Names and node ids of the folder whose inode is at this offset.
    fn names(&mut self, at: u64, path: &str) -> Result<Vec<(String, u64)>, ErofsError> {
        let inode = self.inode(at)?;
        let block = 1usize << self.superblock.block_bits;
        let mut names = Vec::new();
        for part in self.data(at, &inode)?.chunks(block) {
            names.extend(names_of(part).ok_or_else(|| invalid(at, format!("`{path}`: broken folder")))?);
        }
        Ok(names)
    }

    fn entry(&mut self, node: u64, path: &str) -> Result<FileEntry, ErofsError> {
        let at = self.offset(node)?;
        let inode = self.inode(at)?;
        let kind = match inode.mode & 0o170000 {
            0o040000 => Kind::Folder,
            0o100000 => Kind::File,
            0o120000 => Kind::Link,
            _ => Kind::Other,
        };
        let target = match kind {
            Kind::Link => Some(String::from_utf8_lossy(&self.data(at, &inode)?).into_owned()),
            _ => None,
        };
        let Inode { mode, uid, gid, size, .. } = inode;
        Ok(FileEntry { path: path.into(), kind, mode: mode & 0o7777, uid, gid, size, target })
    }

    fn offset(&self, node: u64) -> Result<u64, ErofsError> {
        let base = self.superblock.meta_block << self.superblock.block_bits;
        let offset = node.checked_mul(SLOT).and_then(|slots| slots.checked_add(base));
        offset.ok_or_else(|| invalid(base, format!("node id {node} is out of range")))
    }

    fn inode(&mut self, at: u64) -> Result<Inode, ErofsError> {
        let mut bytes = Vec::with_capacity(64);
        self.seek(at)?;
        let taken = (&mut *self.image).take(64).read_to_end(&mut bytes);
        taken.map_err(|source| ErofsError::Read { offset: at, source })?;
        Inode::parse(&bytes).ok_or_else(|| invalid(at, "inode cut short".into()))
    }

    /// Data of a folder, a link or a file that is not compressed: plain blocks, or plain blocks and a tail behind the inode.
    fn data(&mut self, at: u64, inode: &Inode) -> Result<Vec<u8>, ErofsError> {
        if inode.size > MAX_META || !matches!(inode.layout, 0 | 2) {
            let what = format!(
                "{} bytes in layout {}, want at most {MAX_META} in layout 0 or 2 (not compressed)",
                inode.size, inode.layout
            );
            return Err(invalid(at, what));
        }
        let block = 1u64 << self.superblock.block_bits;
        let tail = if inode.layout == 2 { inode.size % block } else { 0 };
        let (plain, tail) = ((inode.size - tail) as usize, tail as usize);
        let mut bytes = vec![0; plain + tail];
        if plain > 0 {
            self.read(inode.block << self.superblock.block_bits, &mut bytes[..plain])?;
        }
        if tail > 0 {
            self.read(at + inode.tail, &mut bytes[plain..])?;
        }
        Ok(bytes)
    }

    fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ErofsError> {
        self.seek(offset)?;
        self.image.read_exact(bytes).map_err(|source| ErofsError::Read { offset, source })
    }

    fn seek(&mut self, offset: u64) -> Result<(), ErofsError> {
        self.image.seek(SeekFrom::Start(offset)).map_err(|source| ErofsError::Read { offset, source })?;
        Ok(())
    }
}

/// Names and node ids of one block of a folder.
fn names_of(block: &[u8]) -> Option<Vec<(String, u64)>> {
    let first = usize::from(u16_at(block, 8)?);
    if first % DIRENT != 0 || first > block.len() || first == 0 {
        return None;
    }
    let mut names = Vec::new();
    for at in (0..first).step_by(DIRENT) {
        let start = usize::from(u16_at(block, at + 8)?);
        let end = if at + DIRENT < first { usize::from(u16_at(block, at + DIRENT + 8)?) } else { block.len() };
        let name = block.get(start..end)?;
        // The last name of a block may be followed by NUL.
        let name = name.split(|&b| b == 0).next()?;
        if name.is_empty() || name.contains(&b'/') {
            return None;
        }
        names.push((String::from_utf8_lossy(name).into_owned(), u64_at(block, at)?));
    }
    Some(names)
}

fn invalid(offset: u64, what: String) -> ErofsError {
    ErofsError::Invalid { offset, what }
}
