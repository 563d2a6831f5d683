//! One changed bit, wherever it is: refused at the stage named.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use orlop_machine::image::Image;
use orlop_machine::{Disk, Machine};
use serde_json::json;

use crate::bench::{Bench, Built, boot, open};
use crate::probe::Probed;

/// The root's first read is EROFS' superblock, 1024 bytes into it.
const EROFS_SUPERBLOCK: u64 = 1024;
const BLOCK: u64 = 4096;
/// Where the verity superblock has the number of data blocks.
const DATA_BLOCKS: u64 = 72;
/// SHA-256 hashes in a block of the tree.
const HASHES: u64 = 128;

#[test]
fn a_flipped_bit_in_the_root_panics_by_name() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let machine = boot(&flipped(&bench, "root-a", EROFS_SUPERBLOCK + 64)?)?;
    let console = machine.panicked()?;
    assert!(console.iter().any(|line| line.contains("verity") && line.contains("data block 0 is corrupted")));
    assert!(!machine.said("orlop: phase=root"), "a root with a changed block was mounted");
    machine.ends_with("guest-reset")
}

#[test]
fn a_flipped_bit_in_the_hash_tree_panics_by_name() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    // The tree's top is its first block, after the superblock.
    let machine = boot(&flipped(&bench, "root-a-verity", BLOCK + 7)?)?;
    let console = machine.panicked()?;
    assert!(console.iter().any(|line| line.contains("verity") && line.contains("metadata block 1 is corrupted")));
    Ok(())
}

/// dm-verity reads nothing that nobody reads: the last block with content is not needed by the boot, or found by it.
#[test]
fn a_flipped_bit_deep_in_the_root_is_found_by_its_reader() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let last = last_used_block(&bench.image)?;
    found_by_its_reader(&bench, "root-a", last, &format!("data block {last} is corrupted"))
}

/// The same in the part of the tree that no other block's hash depends on: its lowest level.
#[test]
fn a_flipped_bit_in_a_leaf_of_the_hash_tree_is_found_by_its_reader() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let leaf = leaf_of(&bench.image, last_used_block(&bench.image)?)?;
    found_by_its_reader(&bench, "root-a-verity", leaf, &format!("metadata block {leaf} is corrupted"))
}

/// Flips a bit in this block; the pod reads every block of the root's mapped device.
fn found_by_its_reader(bench: &Bench, partition: &str, block: u64, wanted: &str) -> Result<()> {
    let console = match Probed::boot(flipped(bench, partition, block * BLOCK + 7)?) {
        Ok(node) => {
            let device = json!({ "do": "read", "path": "/host/dev/dm-0" });
            node.0.write_port("orlop.probe", &device.to_string())?;
            node.0.panicked()?
        }
        Err(error) => format!("{error:?}").lines().map(str::to_owned).collect(),
    };
    let line = console.iter().find(|line| line.contains("is corrupted"));
    assert!(line.is_some_and(|line| line.contains("verity") && line.contains(wanted)), "{wanted}: {line:?}");
    Ok(())
}

/// The last block of the root that is not zero.
fn last_used_block(image: &Path) -> Result<u64> {
    let root = Image::open(image)?.partition("root-a")?.clone();
    let file = File::open(image)?;
    let mut block = [0; BLOCK as usize];
    for number in (0..root.length / BLOCK).rev() {
        file.read_exact_at(&mut block, root.offset + number * BLOCK)?;
        if block.iter().any(|byte| *byte != 0) {
            return Ok(number);
        }
    }
    anyhow::bail!("the root partition is empty")
}

/// The block of the hash partition that holds the hash of a data block. The tree lies behind its superblock, its top
/// first.
fn leaf_of(image: &Path, data_block: u64) -> Result<u64> {
    let tree = Image::open(image)?.partition("root-a-verity")?.offset;
    let mut number = [0; 8];
    File::open(image)?.read_exact_at(&mut number, tree + DATA_BLOCKS)?;
    let (mut above, mut level) = (1, u64::from_le_bytes(number).div_ceil(HASHES));
    while level > 1 {
        level = level.div_ceil(HASHES);
        above += level;
    }
    Ok(above + data_block / HASHES)
}

#[test]
fn a_flipped_bit_in_the_verity_superblock_is_refused() -> Result<()> {
    let bench = Bench::new(Built::Wipe)?;
    let machine = boot(&flipped(&bench, "root-a-verity", DATA_BLOCKS)?)?;
    machine.refused("superblock")?;
    // The manifest that says so is verified by then.
    machine.ends_with("guest-shutdown")
}

#[test]
fn a_changed_boot_manifest_is_refused() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let mut initramfs = std::fs::read(&bench.boot.initramfs)?;
    let class = find(&initramfs, br#""class": "public""#).context("the class in the boot manifest")?;
    initramfs[class + 10..][..6].copy_from_slice(b"secret");
    std::fs::write(&bench.boot.initramfs, initramfs)?;
    let machine = boot(&bench.machine(bench.throw_away()))?;
    machine.refused("manifest-signature")?;
    machine.ends_with("guest-reset")
}

#[test]
fn a_changed_signature_is_refused() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.copy("disk.raw")?;
    edit_signature_partition(&disk, br#""orlopBootSignature":""#, |text| {
        text[0] = if text[0] == b'A' { b'B' } else { b'A' };
    })?;
    let machine = boot(&bench.machine(Disk::image(&disk)))?;
    machine.refused("manifest-signature")?;
    Ok(())
}

#[test]
fn a_signature_partition_of_another_root_is_refused() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.copy("disk.raw")?;
    edit_signature_partition(&disk, br#""rootHash":""#, |text| {
        text[0] = if text[0] == b'0' { b'1' } else { b'0' };
    })?;
    let machine = boot(&bench.machine(Disk::image(&disk)))?;
    machine.refused("signature-partition")?;
    Ok(())
}

/// The machine whose disk has one bit flipped, this many bytes into this partition.
fn flipped(bench: &Bench, partition: &str, offset: u64) -> Result<Machine> {
    let disk = bench.copy("disk.raw")?;
    let start = Image::open(&disk)?.partition(partition)?.offset;
    let file = open(&disk)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, start + offset)?;
    file.write_all_at(&[byte[0] ^ 1], start + offset)?;
    Ok(bench.machine(Disk::image(&disk)))
}

/// Edits the text after `key` in the signature partition.
fn edit_signature_partition(disk: &Path, key: &[u8], edit: impl Fn(&mut [u8])) -> Result<()> {
    let start = Image::open(disk)?.partition("root-a-verity-sig")?.offset;
    let file = open(disk)?;
    let mut bytes = vec![0; BLOCK as usize];
    file.read_exact_at(&mut bytes, start)?;
    let text = find(&bytes, key).context("the key in the signature partition")? + key.len();
    edit(&mut bytes[text..]);
    file.write_all_at(&bytes, start)?;
    Ok(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
