//! The power fails while the first boot makes its state: the next boot gets past it.
//!
//! QEMU records every write and flush of a first boot; each cut is a prefix of that record, applied to a copy
//! of the image.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use orlop_machine::writelog::WriteLog;
use orlop_machine::{Disk, within};

use crate::bench::{Bench, Built, STATE, boot, copy, open};

/// How many cuts of the record are booted; the rest is for `make test-slow`.
const CUTS: usize = if cfg!(feature = "slow") { usize::MAX } else { 8 };

/// What a boot says that finds the table where the image had it.
const MOVES: &str = "orlop: state: partition table moves to the end of the disk";

#[test]
fn a_first_boot_survives_a_cut_of_its_power_at_any_point() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let log = record(&bench)?;
    let cuts = cuts(&log, CUTS);
    ensure!(cuts.len() >= 8, "the record has {} requests and {} cuts", log.entries.len(), cuts.len());
    let mut grown = BTreeSet::new();
    for (number, cut) in cuts.iter().enumerate() {
        eprintln!("cut after request {cut} of {}", log.entries.len());
        let disk = bench.file("cut.raw");
        replay(&bench.image, &log, *cut, &disk)?;
        let machine = boot(&bench.machine(Disk::image(&disk)))?;
        machine.phase("state", STATE)?;
        grown.insert(!machine.said(MOVES));
        if number + 1 == cuts.len() {
            machine.healthy_with_pod("hello")?;
        }
    }
    assert_eq!(grown.len(), 2, "some cuts come before the table has moved, some after");
    Ok(())
}

/// Twice the image: the partition table, the partition and the filesystem grow as well.
fn size(image: &Path) -> Result<u64> {
    Ok(2 * std::fs::metadata(image)?.len())
}

/// The writes and flushes of a first boot, up to the end of its state phase.
fn record(bench: &Bench) -> Result<WriteLog> {
    let log = bench.file("writes.log");
    let machine = boot(&bench.machine(bench.throw_away().size(size(&bench.image)?).recorded(&log)))?;
    machine.wait_line(MOVES, within(STATE))?;
    machine.phase("state", STATE)?;
    machine.quit()?;
    Ok(WriteLog::open(&log)?)
}

/// After the first write, right before and right after flushes, and the end of the record.
fn cuts(log: &WriteLog, most: usize) -> Vec<usize> {
    let flushes = log.entries.iter().enumerate().filter(|(_, entry)| entry.flush).map(|(number, _)| number);
    let mut points: Vec<usize> =
        flushes.flat_map(|number| [number, number + 1]).chain([1, log.entries.len()]).collect();
    points.sort_unstable();
    points.dedup();
    points.retain(|point| *point > 0);
    // The partition table comes first, and is but a few of the requests: half of the cuts are for it.
    let rest = points.split_off(points.len().min(most / 2));
    let count = rest.len().min(most - points.len());
    points.extend((0..count).map(|number| rest[number * (rest.len() - 1) / (count - 1).max(1)]));
    points
}

/// The image after the first `cut` requests.
fn replay(image: &Path, log: &WriteLog, cut: usize, disk: &Path) -> Result<()> {
    copy(image, disk)?;
    let mut file = open(disk)?;
    file.set_len(size(image)?)?;
    log.entries[..cut].iter().try_for_each(|entry| log.apply(entry, &mut file))?;
    Ok(())
}
