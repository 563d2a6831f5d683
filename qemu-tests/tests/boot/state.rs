//! The state partition: damaged, another's, unknown.

use std::ffi::OsStr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use orlop_machine::image::Image;
use orlop_machine::{Disk, Format, overlay, program, within};

use crate::bench::{
    Bench, Booted, Built, STATE, boot, debugfs, debugfs_write, fsck, open, put_partition, take_partition,
};

/// Where ext4's superblock lies, and its magic number in it.
const SUPERBLOCK: u64 = 1024;
const INODES_COUNT: u64 = SUPERBLOCK;

/// What each refusal of a state ends with.
const REMEDY: &str = "zero the first 64 KiB of /dev/vda8 to give it up";

#[test]
fn a_damaged_state_is_refused_and_left_as_it_is() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = damaged(&bench)?;
    let before = head(&disk)?;
    let machine = boot(&bench.machine(Disk::kept(&disk, Format::Raw)))?;
    let reason = machine.refused("state")?;
    assert!(reason.contains("on_damage") && reason.ends_with(REMEDY), "{reason}");
    machine.quit()?;
    assert!(head(&disk)? == before, "a refused state was written to");
    Ok(())
}

#[test]
fn a_damaged_state_is_made_anew_where_the_image_says_so() -> Result<()> {
    let bench = Bench::new(Built::Wipe)?;
    let disk = damaged(&bench)?;
    let machine = boot(&bench.machine(Disk::kept(&disk, Format::Raw)))?;
    machine.wait_line("wiped, as state.on_damage says", within(STATE))?;
    machine.healthy_with_pod("hello")
}

#[test]
fn a_state_of_another_image_is_refused_by_name() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = with_state(&bench)?;
    let state = bench.file("state.ext4");
    take_partition(&disk, "state", &state)?;
    fsck(&state)?;
    put_partition(&disk, "state", &state)?;
    let record = debugfs(&disk, "cat /lib/orlop/state.json")?;
    let file = bench.file("state.json");
    std::fs::write(&file, record.replace("standalone", "other-image"))?;
    debugfs_write(&state, "rm /lib/orlop/state.json")?;
    debugfs_write(&state, &format!("write {} /lib/orlop/state.json", file.display()))?;
    put_partition(&disk, "state", &state)?;
    let (machine, kept) = boot_kept(&bench, &disk, None)?;
    let reason = machine.refused("state")?;
    assert!(reason.contains("other-image") && reason.ends_with(REMEDY), "{reason}");
    machine.quit()?;
    assert_untouched(&disk, &kept)
}

#[test]
fn unknown_content_is_never_overwritten() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.copy("disk.raw")?;
    let state = Image::open(&disk)?.partition("state")?.offset;
    open(&disk)?.write_all_at(b"somebody's precious data", state + 4096)?;
    // The table of a bigger disk would move: nothing of it before it is known whose state that is.
    let size = 4 * std::fs::metadata(&disk)?.len();
    let (machine, kept) = boot_kept(&bench, &disk, Some(size))?;
    let reason = machine.refused("state")?;
    assert!(reason.ends_with(REMEDY), "{reason}");
    machine.quit()?;
    assert_untouched(&disk, &kept)
}

/// Boots an overlay of a disk; its file.
fn boot_kept(bench: &Bench, disk: &Path, size: Option<u64>) -> Result<(Booted, PathBuf)> {
    let kept = bench.file("kept.qcow2");
    overlay::create(disk, &kept, size)?;
    let machine = boot(&bench.machine(Disk::kept(&kept, Format::Qcow2)))?;
    Ok((machine, kept))
}

/// Every byte of the overlay is the disk's, and zero where the disk has ended.
fn assert_untouched(disk: &Path, kept: &Path) -> Result<()> {
    let words = ["compare", "-q", "-f", "raw", "-F", "qcow2"].map(OsStr::new);
    let compared = program::run(program::QEMU_IMG, &[&words[..], &[disk.as_os_str(), kept.as_os_str()]].concat());
    compared.context("a disk whose state was refused was written to")
}

/// A raw disk with the state of a first boot.
fn with_state(bench: &Bench) -> Result<PathBuf> {
    let disk = bench.kept("first.qcow2", None)?;
    let machine = boot(&bench.machine(disk.clone()))?;
    machine.phase("state", STATE)?;
    // No time for the journal's next commit: what the phase promises is on the disk when it ends.
    machine.quit()?;
    bench.flatten(&disk, "first.raw")
}

/// The same with an impossible superblock.
fn damaged(bench: &Bench) -> Result<PathBuf> {
    let disk = with_state(bench)?;
    let state = Image::open(&disk)?.partition("state")?.offset;
    open(&disk)?.write_all_at(&[0xff; 4], state + INODES_COUNT)?;
    Ok(disk)
}

fn head(disk: &Path) -> Result<Vec<u8>> {
    let state = Image::open(disk)?.partition("state")?.offset;
    let mut bytes = vec![0; 1 << 20];
    open(disk)?.read_exact_at(&mut bytes, state)?;
    Ok(bytes)
}
