//! Lists an image's files, and reads those that are not compressed; `content` reads the others.

use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use super::format::{DIRENT, Inode, SLOT, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET, Superblock, u16_at, u64_at};

/// Why an image cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ErofsError {
    /// Reading failed, at an offset into the image.
    #[error("offset {offset}: {reason}; the image is cut short or unreadable")]
    Read {
        /// Where.
        offset: u64,
        /// What the system said.
        reason: std::io::Error,
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
    /// Whether it gives capabilities to who runs it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub capabilities: bool,
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
/// Linux follows no longer one (`PATH_MAX`).
const MAX_TARGET: u64 = 4096;
/// No folder, link or document is larger.
const MAX_META: u64 = 16 << 20;

/// Lists all paths below the root, sorted.
pub fn list(image: &mut (impl Read + Seek)) -> Result<Vec<FileEntry>, ErofsError> {
    let mut reader = Reader::open(image)?;
    let mut entries = Vec::new();
    reader.walk(reader.superblock.root, "", 0, &mut entries)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    // The second one would never be looked at: a path leads to the first.
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(invalid(SUPERBLOCK_OFFSET, format!("`{}` stands there twice", pair[1].path)));
    }
    Ok(entries)
}

/// The content of the file at an absolute path (no link is followed). A file that is compressed is an error:
/// `orlop build` leaves alone what is to be read without a kernel.
pub fn read(image: &mut (impl Read + Seek), path: &str) -> Result<Vec<u8>, ErofsError> {
    let mut reader = Reader::open(image)?;
    let (at, inode) = reader.find(path)?;
    reader.data(at, &inode)
}

pub(super) struct Reader<'a, R> {
    pub(super) image: &'a mut R,
    pub(super) superblock: Superblock,
    /// Bytes of the image.
    pub(super) bytes: u64,
}

impl<'a, R: Read + Seek> Reader<'a, R> {
    pub(super) fn open(image: &'a mut R) -> Result<Self, ErofsError> {
        let mut bytes = [0; SUPERBLOCK_BYTES];
        let superblock = Superblock { block_bits: 12, root: 0, inodes: 0, meta_block: 0, attribute_block: 0 };
        let mut reader = Reader { image, superblock, bytes: 0 };
        reader.read(SUPERBLOCK_OFFSET, &mut bytes)?;
        reader.superblock = Superblock::parse(&bytes)
            .filter(|superblock| (9..=16).contains(&superblock.block_bits))
            .ok_or_else(|| invalid(SUPERBLOCK_OFFSET, "no EROFS superblock".into()))?;
        // However many it claims to have: each takes a slot.
        let end = reader.image.seek(SeekFrom::End(0));
        reader.bytes = end.map_err(|reason| ErofsError::Read { offset: SUPERBLOCK_OFFSET, reason })?;
        reader.superblock.inodes = reader.superblock.inodes.min(reader.bytes / SLOT);
        Ok(reader)
    }

    /// The inode at an absolute path, and where it lies. No link is followed.
    pub(super) fn find(&mut self, path: &str) -> Result<(u64, Inode), ErofsError> {
        let mut node = self.superblock.root;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let at = self.offset(node)?;
            let names = self.names(at, path)?;
            let found = names.into_iter().find(|(found, _)| found == name);
            node = found.ok_or_else(|| invalid(at, format!("no {path}")))?.1;
        }
        let at = self.offset(node)?;
        Ok((at, self.inode(at)?))
    }

    fn walk(&mut self, node: u64, path: &str, depth: usize, entries: &mut Vec<FileEntry>) -> Result<(), ErofsError> {
        let at = self.offset(node)?;
        let most = self.superblock.inodes.saturating_mul(2).saturating_add(16);
        for (name, child) in self.names(at, path)? {
            if depth > MAX_DEPTH || entries.len() as u64 > most {
                return Err(invalid(at, format!("`{path}`: folders without end")));
            }
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
            Kind::Link if inode.size > MAX_TARGET => {
                return Err(invalid(at, format!("`{path}`: a link of {} bytes", inode.size)));
            }
            Kind::Link => Some(String::from_utf8_lossy(&self.data(at, &inode)?).into_owned()),
            _ => None,
        };
        let capabilities = self.has_capabilities(at, &inode)?;
        let Inode { mode, uid, gid, size, .. } = inode;
        Ok(FileEntry { path: path.into(), kind, mode: mode & 0o7777, uid, gid, size, capabilities, target })
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
        taken.map_err(|reason| ErofsError::Read { offset: at, reason })?;
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
            self.read(at.saturating_add(inode.tail), &mut bytes[plain..])?;
        }
        Ok(bytes)
    }

    pub(super) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ErofsError> {
        self.seek(offset)?;
        self.image.read_exact(bytes).map_err(|reason| ErofsError::Read { offset, reason })
    }

    fn seek(&mut self, offset: u64) -> Result<(), ErofsError> {
        self.image.seek(SeekFrom::Start(offset)).map_err(|reason| ErofsError::Read { offset, reason })?;
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
        // Two names that are none would become one, and the second file never be looked at. We write UTF-8.
        names.push((String::from_utf8(name.to_vec()).ok()?, u64_at(block, at)?));
    }
    Some(names)
}

pub(super) fn invalid(offset: u64, what: String) -> ErofsError {
    ErofsError::Invalid { offset, what }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use proptest::prelude::*;

    /// Made by the locked `mkfs.erofs` (1.8.6) as the builder calls it: files plain, compressed and empty, a link, a folder
    /// of two blocks.
    const IMAGE: &[u8] = include_bytes!("testdata/small.erofs");

    fn listed(image: &[u8]) -> Result<Vec<FileEntry>, ErofsError> {
        list(&mut Cursor::new(image))
    }

    fn content(image: &[u8], path: &str) -> Result<Vec<u8>, ErofsError> {
        read(&mut Cursor::new(image), path)
    }

    #[test]
    fn an_image_of_mkfs_is_listed_and_read() {
        let files = listed(IMAGE).unwrap();
        let find = |path: &str| files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path}"));
        let row = |path: &str| (find(path).kind, find(path).mode, find(path).size);
        assert_eq!(row("/many"), (Kind::Folder, 0o755, find("/many").size));
        assert_eq!(row("/etc/compressed"), (Kind::File, 0o644, 5000));
        assert_eq!((row("/empty"), row("/plain")), ((Kind::File, 0o644, 0), (Kind::File, 0o644, 5000)));
        assert_eq!(find("/etc/hosts").target.as_deref(), Some("../run/etc/hosts"));
        assert_eq!(files.iter().filter(|file| file.path.starts_with("/many/")).count(), 61);
        assert!(files.is_sorted_by(|one, other| one.path < other.path));
        assert!(files.iter().all(|file| (file.uid, file.gid) == (0, 0)));
        assert_eq!(content(IMAGE, "/usr/share/orlop/components.json").unwrap(), b"{\"version\":1}\n");
        // Bytes that no compression makes smaller stay as they are.
        let mut seed = 1_u32;
        let random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let plain: Vec<u8> = std::iter::repeat_with(random).take(5000).collect();
        assert_eq!((content(IMAGE, "/plain").unwrap(), content(IMAGE, "/empty").unwrap()), (plain, vec![]));
        assert!(content(IMAGE, "/etc/compressed").unwrap_err().to_string().contains("not compressed"));
        assert!(content(IMAGE, "/etc/nothing").unwrap_err().to_string().contains("no /etc/nothing"));
    }

    #[test]
    fn every_cut_is_an_error_or_has_all_names() {
        let whole = listed(IMAGE).unwrap();
        let ends = (0..IMAGE.len()).step_by(13).chain((0..IMAGE.len()).step_by(512)).chain(1020..1160);
        for end in ends {
            let cut = &IMAGE[..end];
            if let Ok(files) = listed(cut) {
                assert_eq!(files, whole, "cut at {end}");
            }
            let _ = content(cut, "/plain");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
        #[test]
        fn no_change_panics_or_goes_on_for_ever(changes in prop::collection::vec((0..IMAGE.len(), any::<u8>()), 1..8)) {
            let mut image = IMAGE.to_vec();
            for (at, byte) in changes {
                image[at] = byte;
            }
            let _ = listed(&image);
            let _ = content(&image, "/usr/share/orlop/components.json");
            let _ = content(&image, "/plain");
        }
    }

    #[test]
    fn no_flipped_bit_of_superblock_and_inodes_panics() {
        let mut image = IMAGE.to_vec();
        for at in (1024..1024 + 128).chain(0..1024).chain(1152..IMAGE.len().min(4096)) {
            for bit in [0, 3, 7] {
                image[at] ^= 1 << bit;
                let _ = listed(&image);
                let _ = content(&image, "/plain");
                image[at] ^= 1 << bit;
            }
        }
    }
}
