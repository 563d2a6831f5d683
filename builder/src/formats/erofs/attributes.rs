//! Extended attributes, as far as one of them is asked for: `security.capability`, by which a file gives capabilities to who
//! runs it (`capabilities(7)`).
//!
//! Behind an inode: 12 bytes of header, numbers of attributes that inodes share, its own attributes (`struct
//! erofs_xattr_ibody_header`, `struct erofs_xattr_entry`).

use std::io::{Read, Seek};

use super::format::{Inode, u16_at, u32_at};
use super::read::{ErofsError, Reader, invalid};

/// Bytes of the header, and of what stands before an attribute's name.
const HEADER: usize = 12;
const ENTRY: usize = 4;
/// The index of names that begin with `security.`, and the rest of the one that is asked for.
const SECURITY: u8 = 6;
const CAPABILITY: &[u8] = b"capability";
/// The beginning of the name stands elsewhere, in a table that no image of ours has.
const LONG_PREFIX: u8 = 0x80;

impl<R: Read + Seek> Reader<'_, R> {
    /// Whether the inode at this offset has `security.capability`.
    pub(super) fn has_capabilities(&mut self, at: u64, inode: &Inode) -> Result<bool, ErofsError> {
        if inode.attributes == 0 {
            return Ok(false);
        }
        let start = at.saturating_add(inode.tail - inode.attributes);
        let mut body = vec![0; inode.attributes as usize];
        self.read(start, &mut body)?;
        let broken = || invalid(start, "broken extended attributes".into());
        let shared = body.get(4).map_or(0, |count| usize::from(*count));
        let (numbers, mut own) =
            body.get(HEADER..).and_then(|rest| rest.split_at_checked(shared * 4)).ok_or_else(broken)?;
        for number in numbers.chunks_exact(4) {
            let number = u64::from(u32_at(number, 0).unwrap_or_default());
            let block = self.superblock.attribute_block << self.superblock.block_bits;
            if self.is_shared_capability(block.saturating_add(number * 4))? {
                return Ok(true);
            }
        }
        while let Some((entry, rest)) = own.split_at_checked(ENTRY) {
            let (length, value) = (usize::from(entry[0]), usize::from(u16_at(entry, 2).unwrap_or_default()));
            let name = rest.get(..length).ok_or_else(broken)?;
            if is_capability(entry[1], name).ok_or_else(broken)? {
                return Ok(true);
            }
            let whole = (ENTRY + length + value).next_multiple_of(4);
            own = own.get(whole..).ok_or_else(broken)?;
        }
        Ok(false)
    }

    fn is_shared_capability(&mut self, offset: u64) -> Result<bool, ErofsError> {
        let mut entry = [0; ENTRY];
        self.read(offset, &mut entry)?;
        let mut name = vec![0; usize::from(entry[0])];
        self.read(offset.saturating_add(ENTRY as u64), &mut name)?;
        let broken = || invalid(offset, "a broken extended attribute".into());
        is_capability(entry[1], &name).ok_or_else(broken)
    }
}

/// `None` where the name cannot be told: it might be this one.
fn is_capability(index: u8, name: &[u8]) -> Option<bool> {
    (index & LONG_PREFIX == 0).then_some(index == SECURITY && name == CAPABILITY)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::list;

    /// As in `read`: its root folder names the inode of `/empty`, which is 42, at byte 1240.
    const IMAGE: &[u8] = include_bytes!("testdata/small.erofs");
    const NAMED_AT: usize = 1240;
    /// `security.capability` with 20 bytes: `CAP_NET_BIND_SERVICE`, effective.
    const ENTRY: &[u8] = b"\x0a\x06\x14\x00capability\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const OTHER: &[u8] = b"\x03\x01\x01\x00abcx";

    /// The image with another inode for `/empty`, behind its end: a file of mode 0755 with these attributes.
    fn with(body: &[u8]) -> Vec<u8> {
        let mut image = IMAGE.to_vec();
        assert_eq!(image[NAMED_AT..NAMED_AT + 8], 42_u64.to_le_bytes());
        let inode = image.len().next_multiple_of(32);
        image[NAMED_AT..NAMED_AT + 8].copy_from_slice(&((inode / 32) as u64).to_le_bytes());
        image.resize(inode, 0);
        let count = 1 + (body.len() - 12) / 4;
        image.extend([0, 0]);
        image.extend((count as u16).to_le_bytes());
        image.extend(0o100_755_u16.to_le_bytes());
        image.resize(inode + 32, 0);
        image.extend_from_slice(body);
        image.resize(image.len() + 64, 0);
        image
    }

    fn found(image: &[u8]) -> Result<Vec<String>, String> {
        let files = list(&mut Cursor::new(image)).map_err(|error| error.to_string())?;
        Ok(files.into_iter().filter(|file| file.capabilities).map(|file| file.path).collect())
    }

    fn own(entries: &[&[u8]]) -> Vec<u8> {
        let mut body = vec![0; 12];
        for entry in entries {
            body.extend_from_slice(entry);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body
    }

    #[test]
    fn a_file_with_capabilities_is_named() {
        assert_eq!(found(IMAGE), Ok(vec![]));
        assert_eq!(found(&with(&own(&[OTHER]))), Ok(vec![]));
        assert_eq!(found(&with(&own(&[ENTRY]))), Ok(vec!["/empty".to_owned()]));
        assert_eq!(found(&with(&own(&[OTHER, ENTRY]))), Ok(vec!["/empty".to_owned()]));
        // `user.capability` is an attribute like any other.
        let mut user = ENTRY.to_vec();
        user[1] = 1;
        assert_eq!(found(&with(&own(&[&user]))), Ok(vec![]));
    }

    #[test]
    fn an_attribute_that_is_shared_is_followed() {
        let mut body = vec![0; 12];
        body[4] = 1;
        body.extend(2_u32.to_le_bytes());
        let mut image = with(&body);
        let block = image.len().next_multiple_of(4096);
        image.resize(block + 8, 0);
        image.extend_from_slice(ENTRY);
        image[1024 + 44..1024 + 48].copy_from_slice(&((block / 4096) as u32).to_le_bytes());
        assert_eq!(found(&image), Ok(vec!["/empty".to_owned()]));
        image[block + 8 + 1] = 5;
        assert_eq!(found(&image), Ok(vec![]));
        image.truncate(block);
        assert!(found(&image).unwrap_err().contains("cut short"));
    }

    #[test]
    fn attributes_that_cannot_be_told_are_errors() {
        let mut long = ENTRY.to_vec();
        long[1] |= 0x80;
        let mut cut = ENTRY.to_vec();
        cut[0] = 200;
        let mut shared = vec![0; 16];
        shared[4] = 9;
        for body in [own(&[&long]), own(&[&cut]), shared] {
            assert!(found(&with(&body)).unwrap_err().contains("broken extended attributes"));
        }
    }
}
