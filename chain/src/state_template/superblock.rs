//! The few fields of an ext4 superblock that a first boot changes (kernel, `fs/ext4/ext4.h`, `struct ext4_super_block`).
//!
//! All other checksums in the filesystem hang on `s_checksum_seed` (feature `metadata_csum_seed`), not on the UUID: so a new
//! UUID needs no other block to be written.

use crate::Guid;
use crate::crc::crc32c_ext4;

/// Where the primary superblock begins in the partition.
pub const OFFSET: usize = 1024;
/// Its bytes.
pub const BYTES: usize = 1024;
const MAGIC: (usize, u16) = (0x38, 0xef53);
const FEATURE_INCOMPAT: usize = 0x60;
const FEATURE_RO_COMPAT: usize = 0x64;
const INCOMPAT_CSUM_SEED: u32 = 0x2000;
const RO_COMPAT_METADATA_CSUM: u32 = 0x400;
pub(super) const UUID: usize = 0x68;
pub(super) const HASH_SEED: usize = 0xec;
pub(super) const CHECKSUM: usize = 0x3fc;

/// `Some` if the block (with the superblock at 1024) can be patched.
pub(super) fn usable(block: &[u8]) -> Option<()> {
    let superblock = block.get(OFFSET..OFFSET + BYTES)?;
    let magic = u16::from_le_bytes([superblock[MAGIC.0], superblock[MAGIC.0 + 1]]);
    let flag = |at: usize, bit: u32| u32_at(superblock, at) & bit != 0;
    let features = flag(FEATURE_INCOMPAT, INCOMPAT_CSUM_SEED) && flag(FEATURE_RO_COMPAT, RO_COMPAT_METADATA_CSUM);
    (magic == MAGIC.1 && features && u32_at(superblock, CHECKSUM) == checksum(superblock)).then_some(())
}

/// Gives the superblock in a first block this machine's UUID and hash seed, and the checksum over the result.
pub fn patch(block: &mut [u8], uuid: Guid, hash_seed: Guid) {
    let superblock = &mut block[OFFSET..OFFSET + BYTES];
    superblock[UUID..UUID + 16].copy_from_slice(&uuid.0);
    superblock[HASH_SEED..HASH_SEED + 16].copy_from_slice(&hash_seed.0);
    let crc = checksum(superblock);
    superblock[CHECKSUM..CHECKSUM + 4].copy_from_slice(&crc.to_le_bytes());
}

/// UUID and hash seed of the superblock in a first block.
pub(super) fn identity(block: &[u8]) -> (Guid, Guid) {
    let at = |at: usize| Guid(std::array::from_fn(|index| block[OFFSET + at + index]));
    (at(UUID), at(HASH_SEED))
}

fn checksum(superblock: &[u8]) -> u32 {
    crc32c_ext4(&superblock[..CHECKSUM])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]))
}
