//! dm-verity, format 1, SHA-256, blocks of 4096 bytes (`Documentation/admin-guide/device-mapper/verity.rst`).

mod hash;
mod superblock;
pub mod tree;

pub use hash::BlockHash;
pub use superblock::{Superblock, SuperblockError};
pub use tree::{Geometry, TreeError};

/// Bytes of data blocks and of hash blocks.
pub const BLOCK: usize = 4096;
/// Bytes of a hash.
pub const HASH: usize = 32;
/// Hashes in a hash block.
pub const FANOUT: u64 = (BLOCK / HASH) as u64;
/// Bytes of a salt.
pub const SALT: usize = 32;
