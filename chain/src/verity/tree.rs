//! The hash tree: where its blocks lie, how one block is hashed, and whether a whole tree agrees with its data.
//!
//! Level 0 holds the hashes of the data blocks, each level above the hashes of the blocks below. On disk the top comes first.
//! A tree over one data block has no level: the root hash is that block's.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use orlop_config::manifest::Verity;

use super::{BLOCK, BlockHash, FANOUT, HASH, SALT};
use crate::RootHash;
use crate::device::{ReadAt, Region};

/// Hash blocks that a thread takes at a time, each with the data of its 128 children: 512 KiB and a little.
const READ_BLOCKS: u64 = FANOUT;

/// Why a tree does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A parameter that is not to be had.
    #[error("verity parameter `{0}` cannot be used")]
    Parameter(&'static str),
    /// Cannot be read.
    #[error("cannot read {what} block {block}: {reason}")]
    Read {
        /// `data` or `tree`.
        what: &'static str,
        /// Which block.
        block: u64,
        /// Why.
        reason: String,
    },
    /// A data block is not what was hashed.
    #[error("data block {block} (offset {offset}) does not have the hash that the tree has for it")]
    Data {
        /// Which block.
        block: u64,
        /// Where it begins.
        offset: u64,
    },
    /// A block of the tree is not what was hashed.
    #[error(
        "tree block {block} (offset {offset}, level {level}) does not have the hash that the level above has for it"
    )]
    Tree {
        /// Which block of the partition.
        block: u64,
        /// Where it begins.
        offset: u64,
        /// Its level, counted from the data.
        level: usize,
    },
    /// The top is not the one that was signed.
    #[error("the tree's root hash is {found}, want {want}")]
    Root {
        /// Computed.
        found: RootHash,
        /// Wanted.
        want: RootHash,
    },
}

/// Where the blocks of a tree lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Number of data blocks.
    pub data_blocks: u64,
    /// First block of the tree in its partition.
    pub start: u64,
    /// The levels, from the data upwards.
    pub levels: Vec<Level>,
}

/// A level of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Its first block in the partition.
    pub first: u64,
    /// How many blocks it has.
    pub blocks: u64,
}

impl Geometry {
    /// The tree over `data_blocks`, which begins at block `start`. `None` when there is no data, or more than 2^40 blocks.
    pub fn new(data_blocks: u64, start: u64) -> Option<Self> {
        if data_blocks == 0 || data_blocks > 1 << 40 || start > 1 << 40 {
            return None;
        }
        let mut counts = Vec::new();
        let mut blocks = data_blocks;
        while blocks > 1 {
            blocks = blocks.div_ceil(FANOUT);
            counts.push(blocks);
        }
        let mut next = start;
        let mut levels: Vec<Level> = Vec::with_capacity(counts.len());
        for blocks in counts.into_iter().rev() {
            levels.push(Level { first: next, blocks });
            next += blocks;
        }
        levels.reverse();
        Some(Geometry { data_blocks, start, levels })
    }

    /// Blocks of all levels.
    pub fn tree_blocks(&self) -> u64 {
        self.levels.iter().map(|level| level.blocks).sum()
    }

    /// Bytes of the partition's content: what precedes the tree, and the tree.
    pub fn partition_bytes(&self) -> u64 {
        (self.start + self.tree_blocks()) * BLOCK as u64
    }
}

/// Checks every data block and every block of the tree against the manifest's root hash, with `threads` threads.
///
/// From the top down, so that an altered tree is told apart from altered data. Half a MiB of memory a thread.
pub fn verify_whole(
    data: &dyn ReadAt,
    hashes: &dyn ReadAt,
    manifest: &Verity,
    threads: usize,
) -> Result<(), TreeError> {
    let want: RootHash = manifest.root_hash.parse().map_err(|_| TreeError::Parameter("root_hash"))?;
    let mut salt = [0; SALT];
    hex::decode_to_slice(&manifest.salt, &mut salt).map_err(|_| TreeError::Parameter("salt"))?;
    let geometry = Geometry::new(manifest.data_blocks, manifest.hash_start_block);
    let geometry = geometry.ok_or(TreeError::Parameter("data_blocks"))?;
    let hash = BlockHash::new(&salt);

    let (top, what, block) = match geometry.levels.last() {
        Some(top) => (hashes, "tree", top.first),
        None => (data, "data", 0),
    };
    let bytes = top.bytes_at(block * BLOCK as u64, BLOCK).map_err(|error| read_error(what, block, &error))?;
    let found = RootHash(hash.of(&bytes));
    if found != want {
        return Err(TreeError::Root { found, want });
    }
    for level in (0..geometry.levels.len()).rev() {
        Check { data, hashes, geometry: &geometry, hash: &hash, level }.run(threads)?;
    }
    Ok(())
}

fn read_error(what: &'static str, block: u64, error: &io::Error) -> TreeError {
    TreeError::Read { what, block, reason: error.to_string() }
}

/// The check of all blocks whose hashes stand in one level.
struct Check<'a> {
    data: &'a dyn ReadAt,
    hashes: &'a dyn ReadAt,
    geometry: &'a Geometry,
    hash: &'a BlockHash,
    level: usize,
}

impl Check<'_> {
    fn run(&self, threads: usize) -> Result<(), TreeError> {
        let parents = self.geometry.levels[self.level].blocks;
        let next = AtomicU64::new(0);
        // The failure with the lowest block number is reported, whichever thread finds one first.
        let failed: Mutex<Option<(u64, TreeError)>> = Mutex::new(None);
        let work = || {
            let mut buffer = vec![0; READ_BLOCKS as usize * BLOCK];
            loop {
                let parent = next.fetch_add(1, Ordering::Relaxed);
                if parent >= parents {
                    return;
                }
                if let Err(error) = self.parent(parent, &mut buffer) {
                    next.store(parents, Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if failed.as_ref().is_none_or(|(earlier, _)| parent < *earlier) {
                        *failed = Some((parent, error));
                    }
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.clamp(1, 64) {
                scope.spawn(work);
            }
            work();
        });
        match failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Checks the children of the level's block `parent`.
    fn parent(&self, parent: u64, buffer: &mut [u8]) -> Result<(), TreeError> {
        let block = self.geometry.levels[self.level].first + parent;
        let stored =
            self.hashes.bytes_at(block * BLOCK as u64, BLOCK).map_err(|error| read_error("tree", block, &error))?;
        let (source, what, first, count) = match self.level.checked_sub(1) {
            None => (self.data, "data", 0, self.geometry.data_blocks),
            Some(below) => {
                let level = self.geometry.levels[below];
                (self.hashes, "tree", level.first, level.blocks)
            }
        };
        let done = parent * FANOUT;
        let children = (count - done).min(FANOUT) as usize;
        let buffer = &mut buffer[..children * BLOCK];
        let region = Region::new(source, first * BLOCK as u64, count * BLOCK as u64);
        region.read_exact_at(buffer, done * BLOCK as u64).map_err(|error| read_error(what, first + done, &error))?;
        let mut hashes = [0; BLOCK];
        let hashes = &mut hashes[..children * HASH];
        self.hash.of_blocks(buffer, hashes);
        let mut pairs = hashes.chunks_exact(HASH).zip(stored.chunks_exact(HASH));
        match pairs.position(|(found, stored)| found != stored) {
            None => Ok(()),
            Some(index) => Err(self.mismatch(first + done + index as u64)),
        }
    }

    fn mismatch(&self, block: u64) -> TreeError {
        let offset = block * BLOCK as u64;
        match self.level.checked_sub(1) {
            None => TreeError::Data { block, offset },
            Some(level) => TreeError::Tree { block, offset, level },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::sample;
    use proptest::prelude::*;

    /// A whole tree in memory, the simple way.
    fn build(data: &[u8], salt: &[u8; SALT]) -> (RootHash, Vec<u8>) {
        let hash = BlockHash::new(salt);
        let mut levels: Vec<Vec<u8>> = Vec::new();
        let mut below = data.to_vec();
        while below.len() > BLOCK {
            let mut level: Vec<u8> = below.chunks(BLOCK).flat_map(|block| hash.of(block)).collect();
            level.resize(level.len().next_multiple_of(BLOCK), 0);
            levels.push(level.clone());
            below = level;
        }
        levels.push(vec![0; BLOCK]);
        levels.reverse();
        (RootHash(hash.of(&below)), levels.concat())
    }

    fn manifest(root: RootHash, blocks: u64) -> Verity {
        Verity { root_hash: root.to_string(), data_blocks: blocks, ..sample().verity }
    }

    fn data(blocks: usize) -> Vec<u8> {
        (0..blocks * BLOCK).map(|index| (index / 7 % 251) as u8).collect()
    }

    #[test]
    fn geometry_of_a_million_blocks() {
        let geometry = Geometry::new(1_000_000, 1).unwrap();
        let blocks: Vec<u64> = geometry.levels.iter().map(|level| level.blocks).collect();
        let first: Vec<u64> = geometry.levels.iter().map(|level| level.first).collect();
        assert_eq!(blocks, [7813, 62, 1]);
        assert_eq!(first, [64, 2, 1]);
        assert_eq!(geometry.partition_bytes(), (1 + 7813 + 62 + 1) * 4096);
    }

    #[test]
    fn whole_trees_hold_and_each_kind_of_damage_is_named() {
        for blocks in [1, 2, 128, 129, 300] {
            let data = data(blocks);
            let (root, tree) = build(&data, &[0x11; SALT]);
            let manifest = manifest(root, blocks as u64);
            assert_eq!(verify_whole(&data, &tree, &manifest, 2), Ok(()), "{blocks} blocks");

            let mut bad = data.clone();
            let at = (blocks - 1) * BLOCK + 17;
            bad[at] ^= 1;
            let error = verify_whole(&bad, &tree, &manifest, 2).unwrap_err();
            match blocks {
                1 => assert!(matches!(error, TreeError::Root { .. })),
                _ => assert!(matches!(error, TreeError::Data { block, .. } if block == blocks as u64 - 1)),
            }
            let cut = &data[..data.len() - 1];
            assert!(matches!(verify_whole(&cut, &tree, &manifest, 2), Err(TreeError::Read { .. })));
        }
    }

    #[test]
    fn an_altered_tree_is_told_apart_from_altered_data() {
        let data = data(300);
        let (root, tree) = build(&data, &[0x11; SALT]);
        let manifest = manifest(root, 300);
        let mut top = tree.clone();
        top[BLOCK] ^= 1;
        assert!(matches!(verify_whole(&data, &top, &manifest, 2), Err(TreeError::Root { .. })));
        let mut leaf = tree;
        leaf[BLOCK * 3] ^= 1;
        let error = verify_whole(&data, &leaf, &manifest, 2).unwrap_err();
        assert_eq!(error, TreeError::Tree { block: 3, offset: 3 * 4096, level: 0 });
    }

    proptest! {
        #[test]
        fn levels_are_contiguous_and_end_in_one_block(blocks in 1_u64..1 << 40, start in 0_u64..1 << 20) {
            let geometry = Geometry::new(blocks, start).unwrap();
            let mut next = start;
            for level in geometry.levels.iter().rev() {
                prop_assert_eq!(level.first, next);
                next += level.blocks;
            }
            prop_assert!(geometry.levels.last().is_none_or(|top| top.blocks == 1));
        }
    }
}
