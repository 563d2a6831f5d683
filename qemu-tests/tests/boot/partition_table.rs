//! The partition table's two copies.

use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;
use orlop_machine::{Disk, Format, within};

use crate::bench::{Bench, Built, STATE, boot, open};

const SECTOR: u64 = 512;

#[test]
fn a_bad_primary_copy_is_repaired_and_reported() -> Result<()> {
    repairs("primary", |_| SECTOR)
}

#[test]
fn a_bad_backup_copy_is_repaired_and_reported() -> Result<()> {
    repairs("backup", |bytes| bytes - SECTOR)
}

fn repairs(which: &str, place: impl Fn(u64) -> u64) -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.copy("disk.raw")?;
    spoil(&disk, place(std::fs::metadata(&disk)?.len()))?;
    let damage = orlop_chain::gpt::read(&open(&disk)?, SECTOR)?.damage().unwrap_or_default();
    assert!(damage.starts_with(which), "{damage}");

    let machine = boot(&bench.machine(Disk::kept(&disk, Format::Raw)))?;
    machine.wait_line(&format!("{which} partition table is bad"), within(STATE))?;
    machine.phase("state", STATE)?;
    machine.quit()?;
    assert_eq!(orlop_chain::gpt::read(&open(&disk)?, SECTOR)?.damage(), None);
    Ok(())
}

/// Flips a bit in the header at this offset: in its disk GUID, which only its checksum guards.
fn spoil(disk: &Path, header: u64) -> Result<()> {
    let file = open(disk)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, header + 56)?;
    file.write_all_at(&[byte[0] ^ 1], header + 56)?;
    Ok(())
}
