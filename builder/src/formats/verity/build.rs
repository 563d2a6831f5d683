//! From data to superblock and tree.
//!
//! Threads take the 128 data blocks of one leaf block at a time, write that leaf, and keep its hash. What is kept
//! goes up through the levels in order, each holding one unfinished block: so memory does not grow with the data.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use orlop_chain::device::{Device, ReadAt};
use orlop_chain::guid::NotAGuid;
use orlop_chain::verity::{BLOCK, BlockHash, FANOUT, Geometry, HASH, SALT, Superblock};
use orlop_chain::{Guid, RootHash};
use orlop_config::manifest::Verity;

/// The tree begins after the superblock's block.
const START: u64 = 1;
/// Leaf blocks between two meetings of the threads: 2 GiB of data, 128 KiB of hashes.
const WINDOW: u64 = 4096;

/// Data blocks that a thread reads at a time: 128 KiB, which stay in the core's own cache until they are hashed.
const READ: usize = 32;

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Reading data or writing the tree failed.
    #[error("verity tree")]
    Io(#[from] io::Error),
    /// Data of a length that has no blocks.
    #[error("verity tree: {0} bytes of data; want a multiple of 4096, at least one block")]
    Length(u64),
    /// The UUID is none.
    #[error("verity tree")]
    Uuid(#[from] NotAGuid),
}

/// Writes superblock and tree over `data` to the start of `out`, with as many threads as there are cores. Making the result
/// durable is the caller's business, who knows what else has to be.
pub fn build<D, O>(data: &D, out: &O, salt: &[u8; SALT], uuid: &str) -> Result<Verity, BuildError>
where
    D: ReadAt,
    O: Device + Sync,
{
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    build_with_threads(data, out, (salt, uuid), threads)
}

/// The same with a number of threads; the result does not depend on it.
pub fn build_with_threads<D, O>(
    data: &D,
    out: &O,
    (salt, uuid): (&[u8; SALT], &str),
    threads: usize,
) -> Result<Verity, BuildError>
where
    D: ReadAt,
    O: Device + Sync,
{
    let bytes = data.size()?;
    let data_blocks = bytes / BLOCK as u64;
    let whole = bytes % BLOCK as u64 == 0;
    let geometry = Geometry::new(data_blocks, START).filter(|_| whole).ok_or(BuildError::Length(bytes))?;
    let superblock = Superblock { uuid: uuid.parse::<Guid>()?, data_blocks, salt: *salt };
    let mut first = vec![0; BLOCK];
    first[..512].copy_from_slice(&superblock.encode());
    out.write_all_at(&first, 0)?;

    let hash = BlockHash::new(salt);
    let root_hash = match geometry.levels.first() {
        None => RootHash(hash.of(&data.bytes_at(0, BLOCK)?)),
        Some(leaves) => {
            let mut upper = Upper::new(out, &geometry, &hash);
            let leaf_blocks = leaves.blocks;
            let job = Leaves { data, out, geometry: &geometry, hash: &hash };
            let mut from = 0;
            while from < leaf_blocks {
                let to = leaf_blocks.min(from + WINDOW);
                for leaf in job.window(from, to, threads)? {
                    upper.push(1, leaf)?;
                }
                from = to;
            }
            upper.finish()?
        }
    };
    Ok(Verity {
        root_hash: root_hash.to_string(),
        salt: hex::encode(salt),
        uuid: superblock.uuid.to_string(),
        algorithm: "sha256".to_owned(),
        data_block_size: BLOCK as u32,
        hash_block_size: BLOCK as u32,
        data_blocks,
        hash_start_block: START,
    })
}

/// Level 0, by several threads.
struct Leaves<'a, D, O> {
    data: &'a D,
    out: &'a O,
    geometry: &'a Geometry,
    hash: &'a BlockHash,
}

impl<D: ReadAt, O: Device + Sync> Leaves<'_, D, O> {
    /// Writes leaf blocks `from..to` and returns their hashes, in order.
    fn window(&self, from: u64, to: u64, threads: usize) -> io::Result<Vec<[u8; HASH]>> {
        let next = AtomicU64::new(from);
        let hashes = Mutex::new(vec![[0; HASH]; (to - from) as usize]);
        let work = || -> io::Result<()> {
            let mut data = vec![0; READ * BLOCK];
            let mut leaf = vec![0; BLOCK];
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= to {
                    return Ok(());
                }
                let done = self.leaf(index, &mut data, &mut leaf).inspect_err(|_| next.store(to, Ordering::Relaxed))?;
                hashes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())[(index - from) as usize] = done;
            }
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.clamp(1, 64)).map(|_| scope.spawn(work)).collect();
            let mine = work();
            let join = |other: std::thread::ScopedJoinHandle<'_, _>| {
                other.join().unwrap_or_else(|_| Err(io::Error::other("a hashing thread panicked")))
            };
            others.into_iter().map(join).fold(mine, |all, one| all.and(one))
        })?;
        Ok(hashes.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    fn leaf(&self, index: u64, data: &mut [u8], leaf: &mut [u8]) -> io::Result<[u8; HASH]> {
        let first = index * FANOUT;
        let blocks = (self.geometry.data_blocks - first).min(FANOUT) as usize;
        for from in (0..blocks).step_by(READ) {
            let to = blocks.min(from + READ);
            let data = &mut data[..(to - from) * BLOCK];
            self.data.read_exact_at(data, (first + from as u64) * BLOCK as u64)?;
            self.hash.of_blocks(data, &mut leaf[from * HASH..to * HASH]);
        }
        leaf[blocks * HASH..].fill(0);
        self.out.write_all_at(leaf, (self.geometry.levels[0].first + index) * BLOCK as u64)?;
        Ok(self.hash.of(leaf))
    }
}

/// The levels above the leaves, each with the block that is being filled.
struct Upper<'a, O> {
    out: &'a O,
    geometry: &'a Geometry,
    hash: &'a BlockHash,
    filling: Vec<Vec<u8>>,
    written: Vec<u64>,
    root: [u8; HASH],
}

impl<'a, O: Device> Upper<'a, O> {
    fn new(out: &'a O, geometry: &'a Geometry, hash: &'a BlockHash) -> Self {
        let levels = geometry.levels.len();
        let filling = vec![Vec::with_capacity(BLOCK); levels];
        Upper { out, geometry, hash, filling, written: vec![0; levels], root: [0; HASH] }
    }

    /// Takes the hash of the next block below `level`. Above the top there is only the root hash.
    fn push(&mut self, level: usize, hash: [u8; HASH]) -> io::Result<()> {
        let Some(block) = self.filling.get_mut(level) else {
            self.root = hash;
            return Ok(());
        };
        block.extend_from_slice(&hash);
        if block.len() == BLOCK { self.close(level) } else { Ok(()) }
    }

    fn close(&mut self, level: usize) -> io::Result<()> {
        self.filling[level].resize(BLOCK, 0);
        let place = self.geometry.levels[level].first + self.written[level];
        self.out.write_all_at(&self.filling[level], place * BLOCK as u64)?;
        let hash = self.hash.of(&self.filling[level]);
        self.filling[level].clear();
        self.written[level] += 1;
        self.push(level + 1, hash)
    }

    fn finish(mut self) -> io::Result<RootHash> {
        for level in 1..self.filling.len() {
            if !self.filling[level].is_empty() {
                self.close(level)?;
            }
        }
        Ok(RootHash(self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop_chain::verity::tree::verify_whole;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    const SALT_BYTES: [u8; SALT] = [0x42; SALT];
    const UUID: &str = "11111111-2222-8333-8444-555555555555";

    fn data(blocks: usize) -> Vec<u8> {
        (0..blocks * BLOCK).map(|index| (index / 3 % 241) as u8).collect()
    }

    fn built(data: &[u8], threads: usize) -> (Verity, Vec<u8>) {
        let file = tempfile::tempfile().unwrap();
        let verity = build_with_threads(&data, &file, (&SALT_BYTES, UUID), threads).unwrap();
        (verity, whole(&file))
    }

    fn whole(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        FileExt::read_exact_at(file, &mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn what_is_built_is_verified_by_the_chain_whatever_the_number_of_threads() {
        for blocks in [1, 2, 127, 128, 129, 128 * 3 + 1, 128 * 129] {
            let data = data(blocks);
            let (verity, tree) = built(&data, 2);
            let geometry = Geometry::new(blocks as u64, 1).unwrap();
            assert_eq!(tree.len() as u64, geometry.partition_bytes());
            let superblock = Superblock::parse(&tree).unwrap();
            assert_eq!(superblock.check_against(&verity), Ok(()));
            assert_eq!(verify_whole(&data, &tree, &verity, 3), Ok(()), "{blocks} blocks");
            assert_eq!(built(&data, 5), (verity, tree));
        }
    }

    #[test]
    fn data_without_whole_blocks_is_an_error() {
        let out = tempfile::tempfile().unwrap();
        for length in [0, 1, 4095, 4097] {
            let result = build(&vec![0; length], &out, &SALT_BYTES, UUID);
            assert!(matches!(result, Err(BuildError::Length(_))), "{length}");
        }
    }
}
