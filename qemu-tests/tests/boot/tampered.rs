//! One changed bit, wherever it is: refused at the stage named.

use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use orlop_machine::image::Image;
use orlop_machine::{Disk, Machine};

use crate::bench::{Bench, Built, boot, open};

/// The root's first read is EROFS' superblock, 1024 bytes into it.
const EROFS_SUPERBLOCK: u64 = 1024;
const BLOCK: u64 = 4096;

#[test]
fn a_flipped_bit_in_the_root_panics_by_name() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let machine = boot(&flipped(&bench, "root-a", EROFS_SUPERBLOCK + 64)?)?;
    let console = machine.panicked()?;
    assert!(console.iter().any(|line| line.contains("verity") && line.contains("data block 0 is corrupted")));
    assert!(!machine.said("orlop: phase=root"), "a root with a changed block was mounted");
    Ok(())
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

#[test]
fn a_flipped_bit_in_the_verity_superblock_is_refused() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    // The number of data blocks.
    let machine = boot(&flipped(&bench, "root-a-verity", 72)?)?;
    machine.refused("superblock")?;
    Ok(())
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
    Ok(())
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
