//! GUIDs: one value, two spellings.
//!
//! Text and hex have the bytes in reading order. A GPT stores the first three fields little-endian (UEFI 2.10, appendix A),
//! which is easy to get wrong: a root hash's halves must equal the *text* of the partition's UUID.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::RootHash;

/// What is hashed before role and root hash for a GUID that must differ from image to image but not from build to build.
const DERIVED_DOMAIN: &[u8] = b"orlop-guid-v1\0";

/// A GUID, its bytes in reading order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid(pub [u8; 16]);

/// A text that is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a GUID (want 8-4-4-4-12 hexadecimal digits)")]
pub struct NotAGuid(pub String);

impl Guid {
    /// The GUID of an unused table entry.
    pub const NIL: Guid = Guid([0; 16]);

    /// From a number in reading order; for constants.
    pub const fn from_u128(value: u128) -> Self {
        Guid(value.to_be_bytes())
    }

    /// From the bytes of a GPT.
    pub fn from_disk(bytes: [u8; 16]) -> Self {
        Guid(swap(bytes))
    }

    /// The bytes of a GPT.
    pub fn to_disk(self) -> [u8; 16] {
        swap(self.0)
    }

    /// A version 4 GUID of 16 random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Guid(bytes)
    }

    /// A version 8 GUID that follows from the root hash and what it is for, so that equal inputs give equal images.
    pub fn derived(role: &str, root_hash: &RootHash) -> Self {
        let mut hash = Sha256::new();
        hash.update(DERIVED_DOMAIN);
        hash.update(role.as_bytes());
        hash.update([0]);
        hash.update(root_hash.0);
        let mut bytes = first_half(&hash.finalize().into());
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Guid(bytes)
    }

    /// Whether this marks an unused entry.
    pub fn is_nil(self) -> bool {
        self == Guid::NIL
    }
}

/// The first 16 of 32 bytes.
pub(crate) fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|index| hash[index])
}

fn swap(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = hex::encode(self.0);
        let text = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        f.pad(&text)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        let wrong = || NotAGuid(text.to_owned());
        let parts: Vec<&str> = text.split('-').collect();
        if parts.iter().map(|part| part.len()).ne([8, 4, 4, 4, 12]) {
            return Err(wrong());
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(parts.concat(), &mut bytes).map_err(|_| wrong())?;
        Ok(Guid(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gpt_stores_the_first_three_fields_little_endian() {
        let esp: Guid = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".parse().unwrap();
        let disk = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
        assert_eq!(esp.to_disk(), disk);
        assert_eq!(Guid::from_disk(disk), esp);
    }

    #[test]
    fn derived_guids_are_version_8_and_differ_by_role() {
        let hash = RootHash([7; 32]);
        let disk = Guid::derived("disk", &hash);
        assert_ne!(disk, Guid::derived("esp", &hash));
        assert_eq!(disk.to_string().as_bytes()[14], b'8');
        assert_eq!(disk, Guid::derived("disk", &hash));
    }

    proptest! {
        #[test]
        fn text_round_trip(bytes: [u8; 16]) {
            prop_assert_eq!(Guid(bytes).to_string().parse(), Ok(Guid(bytes)));
        }

        #[test]
        fn any_text_is_a_guid_or_an_error(text in ".{0,60}") {
            let _ = text.parse::<Guid>();
        }
    }
}
