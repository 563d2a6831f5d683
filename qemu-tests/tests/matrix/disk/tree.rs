//! The hash tree, and the superblock before it.

use orlop_chain::Stage;

use crate::bench::Built;
use crate::row::{Ends, Offline, rows};
use crate::subject::{BLOCK, TREE};

/// Fields of the verity superblock (`Documentation/admin-guide/device-mapper/verity.rst`, cryptsetup's format).
const ALGORITHM: u64 = 32;
const DATA_BLOCKS: u64 = 72;
const SALT: u64 = 88;

rows! {
    fast a_bit_in_the_trees_top {
        changed: "one bit in the hash tree's top",
        // Its top is its first block, after the superblock.
        alter: |subject| subject.flip(TREE, BLOCK + 7),
        ends: Ends::Panics,
        says: "metadata block 1 is corrupted",
        offline: Offline::Refused(Stage::Tree),
    }
    fast a_bit_in_the_trees_lowest_level {
        changed: "one bit in the hash tree's lowest level, in the hash of the root's first block",
        alter: |subject| subject.flip(TREE, 2 * BLOCK + 7),
        ends: Ends::Panics,
        says: "metadata block 2 is corrupted",
        offline: Offline::Refused(Stage::Tree),
    }
    fast the_superblocks_salt {
        changed: "one bit in the verity superblock's salt",
        alter: |subject| subject.flip(TREE, SALT),
        ends: Ends::Refused(Stage::Superblock),
        says: "salt",
        offline: Offline::Refused(Stage::Superblock),
    }
    fast the_superblocks_number_of_blocks {
        changed: "one bit in the verity superblock's number of blocks",
        image: Built::Wipe,
        alter: |subject| subject.flip(TREE, DATA_BLOCKS),
        ends: Ends::Refused(Stage::Superblock),
        says: "data_blocks",
        // As this image's manifest says, which is verified by then.
        stops: "guest-shutdown",
        offline: Offline::Refused(Stage::Superblock),
    }
    fast the_superblocks_algorithm {
        changed: "another algorithm in the verity superblock",
        alter: |subject| subject.write(TREE, ALGORITHM, b"sha1\0\0\0"),
        ends: Ends::Refused(Stage::Superblock),
        says: "sha1",
        offline: Offline::Refused(Stage::Superblock),
    }
    fast no_superblock {
        changed: "the verity superblock taken away",
        alter: |subject| subject.write(TREE, 0, &[0; 512]),
        ends: Ends::Refused(Stage::Superblock),
        says: "superblock",
        offline: Offline::Refused(Stage::Superblock),
    }
}
