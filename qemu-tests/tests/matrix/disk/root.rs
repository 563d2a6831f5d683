//! The root's blocks.

use anyhow::{Context, Result};
use orlop::image::inputs::Inputs;
use orlop::sources::{Bench, Cache, Silent, tools};
use orlop_chain::Stage;
use orlop_machine::image::Image;

use crate::bench::{Built, take_partition};
use crate::probe::Probed;
use crate::row::{Ends, Offline, rows};
use crate::subject::{BLOCK, ROOT, Subject, TREE};

rows! {
    fast a_bit_in_the_first_block {
        changed: "one bit in the root's first block",
        // The root's first read is EROFS' superblock, 1024 bytes into it.
        alter: |subject| subject.flip(ROOT, 1024 + 64),
        ends: Ends::Panics,
        says: "data block 0 is corrupted",
        stops: "guest-reset",
        offline: Offline::Refused(Stage::Tree),
    }
    fast a_bit_of_containerd_while_the_node_runs {
        changed: "one bit of containerd's program, on the disk of a running node; then the page cache is dropped and the device read",
        image: Built::Probe,
        ends: Ends::PanicsAfter(|subject, node| {
            subject.flip(ROOT, block_of_containerd(subject)? * BLOCK + 7)?;
            node.read_the_root_anew();
            Ok(())
        }),
        says: "is corrupted",
    }
    slow a_bit_in_the_last_block {
        changed: "one bit in the root's last block with content; the boot reads it, or a pod that reads the whole device",
        image: Built::Probe,
        alter: |subject| subject.flip(ROOT, last_used_block(subject)? * BLOCK + 7),
        ends: Ends::PanicsAfter(read_the_device),
        says: "is corrupted",
        offline: Offline::Refused(Stage::Tree),
    }
    slow a_bit_in_the_last_blocks_leaf {
        changed: "one bit in the hash tree's lowest level, in the hashes of the root's last blocks; a pod reads the whole device",
        image: Built::Probe,
        alter: |subject| {
            let leaf = 2 + last_used_block(subject)? / 128;
            subject.flip(TREE, leaf * BLOCK + 7)
        },
        ends: Ends::PanicsAfter(read_the_device),
        says: "is corrupted",
        offline: Offline::Refused(Stage::Tree),
    }
    fast another_releases_root {
        changed: "another release's root under this one's UUIDs",
        alter: |subject| subject.take(ROOT, &Built::Wipe.path()?),
        ends: Ends::Panics,
        says: "data block",
        offline: Offline::Refused(Stage::Tree),
    }
    fast another_releases_root_and_tree {
        changed: "another release's root and hash tree under this one's UUIDs",
        alter: |subject| {
            subject.take(ROOT, &Built::Wipe.path()?)?;
            subject.take(TREE, &Built::Wipe.path()?)
        },
        ends: Ends::Refused(Stage::Superblock),
        says: "superblock field",
        offline: Offline::Refused(Stage::Superblock),
    }
}

/// dm-verity reads nothing that nobody reads.
fn read_the_device(_: &Subject, node: &Probed) -> Result<()> {
    node.read_the_root();
    Ok(())
}

/// The last block of the root that is not zero.
fn last_used_block(subject: &Subject) -> Result<u64> {
    let length = Image::open(&subject.disk)?.partition(ROOT)?.length;
    let bytes = subject.read(ROOT, 0, length as usize)?;
    let last = bytes.iter().rposition(|byte| *byte != 0).context("the root partition is empty")?;
    Ok(last as u64 / BLOCK)
}

/// A block in the middle of containerd's program, which `dump.erofs` finds: every file is compressed.
fn block_of_containerd(subject: &Subject) -> Result<u64> {
    let root = subject.bench.file("root.erofs");
    take_partition(&subject.disk, ROOT, &root)?;
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let inputs = Inputs::load(&workspace.join("qemu-tests/images/probe.toml"))?;
    let cache = Cache::open()?;
    let bench = Bench { cache: &cache, report: &Silent, offline: true, jobs: 1 };
    let erofs = tools(&bench, &inputs.lockfile)?.erofs;
    let output = erofs.command("dump.erofs").args(["--path=/usr/bin/containerd", "-e"]).arg(&root).output()?;
    // ` 12:  786432..  851968 |   65536 :   12345344..  12369920 |   24576`
    let text = String::from_utf8_lossy(&output.stdout);
    let physical = |line: &str| line.split('|').nth(1)?.split(':').nth(1)?.split("..").next()?.trim().parse().ok();
    let extents: Vec<u64> = text.lines().filter_map(physical).collect();
    let middle = extents.get(extents.len() / 2).with_context(|| format!("no extents of containerd in: {text}"))?;
    Ok(middle / BLOCK + 1)
}
