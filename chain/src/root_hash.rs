//! The root hash: it names the root, and the partitions that hold it.

use std::fmt;
use std::str::FromStr;

use orlop_config::manifest::SIGNATURE_PARTITION_DOMAIN;
use sha2::{Digest, Sha256};

use crate::guid::{Guid, first_half};

/// The top of a verity tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RootHash(pub [u8; 32]);

/// A text that is not a root hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a root hash (want 64 lowercase hexadecimal digits)")]
pub struct NotARootHash(pub String);

impl RootHash {
    /// UUID of the root partition: the first half (Discoverable Partitions Specification).
    pub fn root_guid(&self) -> Guid {
        Guid(first_half(&self.0))
    }

    /// UUID of the verity partition: the second half.
    pub fn verity_guid(&self) -> Guid {
        Guid(std::array::from_fn(|index| self.0[16 + index]))
    }

    /// UUID of the signature partition: the first half of a hash over the root hash.
    pub fn signature_guid(&self) -> Guid {
        let mut hash = Sha256::new();
        hash.update(SIGNATURE_PARTITION_DOMAIN);
        hash.update(self.0);
        Guid(first_half(&hash.finalize().into()))
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex::encode(self.0))
    }
}

impl fmt::Debug for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RootHash {
    type Err = NotARootHash;

    /// Lowercase only: one hash has one spelling, so that documents can be compared as text.
    fn from_str(text: &str) -> Result<Self, NotARootHash> {
        let mut bytes = [0; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(RootHash(bytes)),
            _ => Err(NotARootHash(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of mkosi #1612.
    const EXAMPLE: &str = "954172dfee9aaab2d90a0ab162ee6bc5a6a77ede951fad19f0f94df0d7266a93";

    #[test]
    fn halves_are_the_text_of_the_uuids() {
        let hash: RootHash = EXAMPLE.parse().unwrap();
        assert_eq!(hash.root_guid().to_string(), "954172df-ee9a-aab2-d90a-0ab162ee6bc5");
        assert_eq!(hash.verity_guid().to_string(), "a6a77ede-951f-ad19-f0f9-4df0d7266a93");
        assert_eq!(hash.to_string(), EXAMPLE);
    }

    #[test]
    fn one_spelling_only() {
        assert!(EXAMPLE.to_uppercase().parse::<RootHash>().is_err());
        assert!(EXAMPLE[1..].parse::<RootHash>().is_err());
    }
}
