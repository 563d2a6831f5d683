//! How a template is written, so that a cut at any moment leaves nothing that looks finished or foreign.
//!
//! First the head is cleared, its magic number last: a damaged filesystem that is to be wiped stays an ext4 until it is blank.
//! Then zeros and all extents, flush, then the one block with the superblock: until that is there, no ext4 is. What a cut can
//! leave behind in the first 64 KiB is told apart from foreign content by [`judge`](super::judge()).

use super::{BLANK_BYTES, BLOCK, Template, superblock};
use crate::Guid;
use crate::device::Step;

/// What makes this machine's filesystem its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The filesystem's UUID.
    pub uuid: Guid,
    /// Seed of its directory hashes.
    pub hash_seed: Guid,
}

/// The steps that make a partition the template's filesystem, with this machine's identity. Offsets count from the partition.
pub fn plan(template: &Template<'_>, identity: Identity) -> Vec<Step> {
    let mut steps = clear();
    let mut written = BLOCK;
    for (offset, bytes) in template.extents() {
        // The first block comes last; a reused disk may hold an old journal where the template has nothing.
        let skip = if offset == 0 { BLOCK as usize } else { 0 };
        let offset = offset + skip as u64;
        zero(&mut steps, written, offset);
        if bytes.len() > skip {
            steps.push(Step::write(offset, &bytes[skip..]));
        }
        written = offset + (bytes.len() - skip) as u64;
    }
    zero(&mut steps, written, template.layout.size);
    steps.push(Step::Flush);
    let mut first = template.range(0, BLOCK as usize);
    superblock::patch(&mut first, identity.uuid, identity.hash_seed);
    steps.extend([Step::write(0, first), Step::Flush]);
    steps
}

/// Makes the head blank. Plain writes, because a zeroing request wants whole sectors of the disk, which may have 4096 bytes.
fn clear() -> Vec<Step> {
    let magic = superblock::OFFSET..superblock::OFFSET + 512;
    vec![
        Step::write(0, vec![0; magic.start]),
        Step::write(magic.end as u64, vec![0; BLANK_BYTES - magic.end]),
        Step::Flush,
        Step::write(magic.start as u64, vec![0; magic.len()]),
        Step::Flush,
    ]
}

fn zero(steps: &mut Vec<Step>, from: u64, to: u64) {
    if from < to {
        steps.push(Step::Zero { offset: from, length: to - from });
    }
}
