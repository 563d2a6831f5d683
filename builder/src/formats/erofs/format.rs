//! On-disk structures, little-endian.

/// Byte at which the superblock starts.
pub const SUPERBLOCK_OFFSET: u64 = 1024;
/// Bytes of the superblock without extension slots.
pub const SUPERBLOCK_BYTES: usize = 128;
/// First four bytes of the superblock.
pub const MAGIC: u32 = 0xe0f5_e1e2;
/// Inodes lie on such slots; a node id counts them.
pub const SLOT: u64 = 32;
/// Bytes of a directory entry.
pub const DIRENT: usize = 12;

/// What is needed of the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superblock {
    /// log2 of the block size.
    pub block_bits: u8,
    /// Node id of the root folder.
    pub root: u64,
    /// How many inodes there are.
    pub inodes: u64,
    /// First block of the inodes.
    pub meta_block: u64,
    /// First block of the extended attributes that several inodes share.
    pub attribute_block: u64,
}

impl Superblock {
    /// Reads the fields; `None` where the magic is another.
    pub fn parse(bytes: &[u8; SUPERBLOCK_BYTES]) -> Option<Superblock> {
        (u32_at(bytes, 0)? == MAGIC).then_some(())?;
        Some(Superblock {
            block_bits: bytes[12],
            root: u64::from(u16_at(bytes, 14)?),
            inodes: u64_at(bytes, 16)?,
            meta_block: u64::from(u32_at(bytes, 40)?),
            attribute_block: u64::from(u32_at(bytes, 44)?),
        })
    }
}

/// What is needed of an inode, compact (32 bytes) or extended (64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    /// Type and permission bits.
    pub mode: u32,
    /// Bytes of its data.
    pub size: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How its data is laid out: 0 plain, 2 with its tail behind the inode, others compressed or in chunks.
    pub layout: u16,
    /// First block of plain data.
    pub block: u64,
    /// Bytes from the inode's start to what follows it and its extended attributes.
    pub tail: u64,
    /// Bytes of its extended attributes, which end there.
    pub attributes: u64,
}

impl Inode {
    /// Reads an inode from the bytes at its slot (64, fewer only at the image's end).
    pub fn parse(bytes: &[u8]) -> Option<Inode> {
        let format = u16_at(bytes, 0)?;
        let attributes = match u16_at(bytes, 2)? {
            0 => 0,
            count => 12 + 4 * (u64::from(count) - 1),
        };
        let mode = u32::from(u16_at(bytes, 4)?);
        let block = u64::from(u32_at(bytes, 16)?);
        let layout = (format >> 1) & 7;
        Some(if format & 1 == 0 {
            let (uid, gid) = (u32::from(u16_at(bytes, 24)?), u32::from(u16_at(bytes, 26)?));
            Inode {
                mode,
                size: u64::from(u32_at(bytes, 8)?),
                uid,
                gid,
                layout,
                block,
                tail: 32 + attributes,
                attributes,
            }
        } else {
            let (uid, gid) = (u32_at(bytes, 24)?, u32_at(bytes, 28)?);
            Inode { mode, size: u64_at(bytes, 8)?, uid, gid, layout, block, tail: 64 + attributes, attributes }
        })
    }
}

/// Two bytes at `at`.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Four bytes at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Eight bytes at `at`.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
