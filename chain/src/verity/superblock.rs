//! The superblock that `veritysetup` puts before a tree (cryptsetup, `lib/verity/verity.c`, `struct verity_sb`).
//!
//! A boot takes its parameters from the signed manifest, never from here; that both agree is checked, because other tools
//! read this one.

use orlop_config::manifest::Verity;

use super::{BLOCK, SALT};
use crate::Guid;

const MAGIC: &[u8; 8] = b"verity\0\0";
const ALGORITHM: &[u8] = b"sha256";
/// Bytes of the structure; the rest of its block is not looked at.
pub const BYTES: usize = 512;

/// A superblock of format 1 over SHA-256 with blocks of 4096 bytes and a salt of 32: the only kind that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// UUID of the tree.
    pub uuid: Guid,
    /// Number of data blocks.
    pub data_blocks: u64,
    /// Salt.
    pub salt: [u8; SALT],
}

/// Why a superblock is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuperblockError {
    /// Fewer bytes than the structure.
    #[error("{0} bytes are too few for a verity superblock")]
    TooShort(usize),
    /// Something else stands there.
    #[error("no verity superblock at the start of the partition")]
    Magic,
    /// A field with a value that is not ours.
    #[error("superblock field `{field}` is `{found}`, want `{want}`")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it must hold.
        want: String,
    },
}

impl Superblock {
    /// Reads the structure at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, SuperblockError> {
        let bytes: &[u8; BYTES] = bytes.first_chunk().ok_or(SuperblockError::TooShort(bytes.len()))?;
        if &bytes[..8] != MAGIC {
            return Err(SuperblockError::Magic);
        }
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        want("version", number(8), 1)?;
        want("hash_type", number(12), 1)?;
        let algorithm = bytes[32..64].split(|byte| *byte == 0).next().unwrap_or_default();
        want("algorithm", String::from_utf8_lossy(algorithm).as_ref(), "sha256")?;
        want("data_block_size", number(64), BLOCK as u32)?;
        want("hash_block_size", number(68), BLOCK as u32)?;
        want("salt_size", u16::from_le_bytes([bytes[80], bytes[81]]), SALT as u16)?;
        Ok(Superblock {
            uuid: Guid(std::array::from_fn(|index| bytes[16 + index])),
            data_blocks: u64::from_le_bytes(std::array::from_fn(|index| bytes[72 + index])),
            salt: std::array::from_fn(|index| bytes[88 + index]),
        })
    }

    /// The structure's bytes.
    pub fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&1_u32.to_le_bytes());
        bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.uuid.0);
        bytes[32..32 + ALGORITHM.len()].copy_from_slice(ALGORITHM);
        bytes[64..68].copy_from_slice(&(BLOCK as u32).to_le_bytes());
        bytes[68..72].copy_from_slice(&(BLOCK as u32).to_le_bytes());
        bytes[72..80].copy_from_slice(&self.data_blocks.to_le_bytes());
        bytes[80..82].copy_from_slice(&(SALT as u16).to_le_bytes());
        bytes[88..88 + SALT].copy_from_slice(&self.salt);
        bytes
    }

    /// Whether it says what the boot manifest says.
    pub fn check_against(&self, manifest: &Verity) -> Result<(), SuperblockError> {
        want("uuid", self.uuid.to_string(), manifest.uuid.clone())?;
        want("salt", hex::encode(self.salt), manifest.salt.clone())?;
        want("data_blocks", self.data_blocks, manifest.data_blocks)
    }
}

fn want<T: PartialEq + ToString>(field: &'static str, found: T, want: T) -> Result<(), SuperblockError> {
    if found == want {
        return Ok(());
    }
    Err(SuperblockError::Field { field, found: found.to_string(), want: want.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::sample as manifest;
    use proptest::prelude::*;

    fn sample() -> Superblock {
        let verity = manifest().verity;
        Superblock { uuid: verity.uuid.parse().unwrap(), data_blocks: verity.data_blocks, salt: [0x11; SALT] }
    }

    #[test]
    fn round_trip_and_manifest() {
        assert_eq!(Superblock::parse(&sample().encode()), Ok(sample()));
        assert_eq!(sample().check_against(&manifest().verity), Ok(()));
        let other = Superblock { data_blocks: 999, ..sample() };
        let error = other.check_against(&manifest().verity).unwrap_err();
        assert_eq!(error.to_string(), "superblock field `data_blocks` is `999`, want `1000`");
    }

    #[test]
    fn every_cut_and_every_other_format_is_an_error() {
        let bytes = sample().encode();
        for end in 0..bytes.len() {
            assert!(Superblock::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        for at in [0, 8, 12, 32, 64, 68, 80] {
            let mut changed = bytes;
            changed[at] ^= 0x40;
            assert!(Superblock::parse(&changed).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_superblock_or_an_error(tail in prop::collection::vec(any::<u8>(), 0..600), magic: bool) {
            let bytes = if magic { [MAGIC.as_slice(), &tail].concat() } else { tail };
            let _ = Superblock::parse(&bytes);
        }
    }
}
