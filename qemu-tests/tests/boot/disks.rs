//! Disks of other kinds and sizes, up to the state partition.

use std::path::Path;

use anyhow::Result;
use orlop_chain::gpt;
use orlop_machine::{Bus, within};

use crate::bench::{Bench, Built, STATE, boot, debugfs, open};

const SECTOR: u64 = 512;
const GIB: u64 = 1 << 30;

#[test]
fn nvme_disk_gets_a_state() -> Result<()> {
    on_bus(Bus::Nvme)
}

#[test]
fn scsi_disk_gets_a_state() -> Result<()> {
    on_bus(Bus::Scsi)
}

fn on_bus(bus: Bus) -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let machine = boot(&bench.machine(bench.throw_away().bus(bus)))?;
    machine.phase("state", STATE)
}

#[test]
fn state_grows_to_a_disk_of_64_gib() -> Result<()> {
    grows_to(64 * GIB)
}

#[cfg(feature = "slow")]
#[test]
fn state_grows_to_four_times_the_image() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let size = std::fs::metadata(&bench.image)?.len();
    drop(bench);
    grows_to(4 * size)
}

#[cfg(feature = "slow")]
#[test]
fn state_grows_to_a_disk_of_2_tib() -> Result<()> {
    grows_to(2048 * GIB)
}

fn grows_to(size: u64) -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.kept("disk.qcow2", Some(size))?;
    let machine = boot(&bench.machine(disk.clone()))?;
    machine.wait_line("orlop: state: partition table moves to the end of the disk", within(STATE))?;
    machine.phase("state", STATE)?;
    machine.quit()?;
    let raw = bench.flatten(&disk, "disk.raw")?;
    let stats = debugfs(&raw, "stats -h")?;
    let blocks = stats.lines().find_map(|line| line.strip_prefix("Block count:")).map(str::trim);
    let blocks: u64 = blocks.unwrap_or_default().parse()?;
    assert!(blocks * 4096 > size / 10 * 8, "{blocks} blocks of 4096 on a disk of {size} bytes");
    table_is_this_machines(&bench.image, &raw, size)
}

/// Both copies are good and know the disk's size; what tells machines apart is new, what the firmware and init look
/// for is as it was built.
fn table_is_this_machines(image: &Path, disk: &Path, size: u64) -> Result<()> {
    let built = gpt::read(&open(image)?, SECTOR)?.gpt;
    let table = gpt::read(&open(disk)?, SECTOR)?;
    assert_eq!(table.damage(), None);
    assert_eq!(table.gpt.total_sectors * SECTOR, size);
    assert_ne!(table.gpt.disk_guid, built.disk_guid);
    assert_eq!(table.gpt.entries.len(), built.entries.len());
    for (before, after) in built.entries.iter().zip(&table.gpt.entries) {
        let is_new = ["esp", "state"].contains(&before.name.as_str());
        assert_eq!(after.guid != before.guid, is_new, "{}: {} was {}", before.name, after.guid, before.guid);
        assert_eq!(after.type_guid, before.type_guid, "{}", before.name);
    }
    Ok(())
}
