//! What a state partition holds, judged by its first 64 KiB.
//!
//! Blank means: may be made anew. Anything that is neither blank, nor an ext4, nor what a cut of our own first boot leaves
//! behind, is somebody's data and is never overwritten.

use super::superblock::{self, BYTES, CHECKSUM, OFFSET};
use super::{BLOCK, Template};

/// How many bytes are looked at.
pub const BLANK_BYTES: usize = 64 << 10;
/// The least that a disk writes whole.
const SECTOR: usize = 512;

/// What a state partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Blank,
    /// What a cut of our own writing leaves: some of the template's sectors, none that is another's.
    Interrupted,
    /// An ext4 superblock: mount it, and see.
    Ext4,
    /// Something else: refused.
    Unknown,
}

/// Judges the first [`BLANK_BYTES`] of a state partition.
pub fn judge(head: &[u8], template: &Template<'_>) -> Content {
    if head.len() < BLANK_BYTES {
        return Content::Unknown;
    }
    let head = &head[..BLANK_BYTES];
    if head.iter().all(|byte| *byte == 0) {
        return Content::Blank;
    }
    let magic = u16::from_le_bytes([head[OFFSET + 0x38], head[OFFSET + 0x39]]) == 0xef53;
    match (ours(head, template), magic) {
        (Some(true), _) => Content::Ext4,
        (Some(false), _) => Content::Interrupted,
        (None, true) => Content::Ext4,
        (None, false) => Content::Unknown,
    }
}

/// Whether every sector is zero or what our own writing puts there: `Some(whole)`, or `None` if one is another's.
fn ours(head: &[u8], template: &Template<'_>) -> Option<bool> {
    let mut want = template.range(0, BLANK_BYTES);
    let mut head = head.to_vec();
    let (uuid, hash_seed) = superblock::identity(&head);
    superblock::patch(&mut want[..BLOCK as usize], uuid, hash_seed);
    if head[OFFSET..OFFSET + SECTOR].iter().all(|byte| *byte == 0) {
        // Without its first sector nobody knows what the second one's checksum was made of.
        let checksum = OFFSET + CHECKSUM..OFFSET + BYTES;
        head[checksum.clone()].fill(0);
        want[checksum].fill(0);
    }
    let mut whole = true;
    for (found, want) in head.chunks(SECTOR).zip(want.chunks(SECTOR)) {
        if found != want {
            whole = false;
            if found.iter().any(|byte| *byte != 0) {
                return None;
            }
        }
    }
    Some(whole)
}
