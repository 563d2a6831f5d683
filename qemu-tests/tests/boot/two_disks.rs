//! A second disk in the machine, another node's of the same image. One that nothing tells apart is a row of the matrix.

use anyhow::Result;
use orlop_machine::{Disk, within};

use crate::bench::{Bench, Built, HEALTHY, STATE, boot};

/// After its first boot a disk has GUIDs of its machine: the firmware's word for its ESP decides.
#[test]
fn the_disk_that_the_firmware_started_from_wins_over_another_nodes() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let ours = first_boot(&bench, "ours.qcow2")?;
    let theirs = first_boot(&bench, "theirs.qcow2")?;
    let machine = boot(&bench.firmware(ours).disk(Disk { throw_away: false, ..theirs.clone() }))?;
    machine.wait_line("orlop: disk: ", within(HEALTHY))?;
    machine.phase("state", HEALTHY)?;
    assert!(machine.said("vdb"), "the other disk is named");
    Ok(())
}

fn first_boot(bench: &Bench, name: &str) -> Result<Disk> {
    let disk = bench.kept(name, None)?;
    let machine = boot(&bench.machine(disk.clone()))?;
    machine.phase("state", STATE)?;
    machine.quit()?;
    Ok(disk)
}
