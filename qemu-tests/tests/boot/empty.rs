//! A machine without a system: what the library itself promises, seen with a real QEMU.

use anyhow::Result;
use orlop_machine::writelog::WriteLog;
use orlop_machine::{Bus, Disk, Error, Machine, within};
use serde_json::json;

fn empty_disk() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.as_file().set_len(1 << 20).expect("a sparse file");
    file
}

#[test]
fn firmware_says_that_an_empty_disk_does_not_boot() -> Result<()> {
    let disk = empty_disk();
    let machine = Machine::with_disk(Disk::image(disk.path())).start()?;
    machine.wait_line("BdsDxe: failed to load", within(60))?;
    assert_eq!(machine.qmp("query-status", json!({}))?["status"], "running");
    Ok(())
}

#[test]
fn a_deadline_that_passes_names_the_log_which_is_still_there() -> Result<()> {
    let disk = empty_disk();
    let machine = Machine::with_disk(Disk::image(disk.path())).start()?;
    let error = machine.wait_line("no such line", within(0)).unwrap_err();
    drop(machine);
    let Error::Deadline { log, .. } = &error else { panic!("{error}") };
    assert!(log.path.is_file(), "{error}");
    std::fs::remove_file(&log.path)?;
    Ok(())
}

#[test]
fn a_machine_that_ends_is_noticed_at_once() -> Result<()> {
    let disk = empty_disk();
    let machine = Machine::with_disk(Disk::image(disk.path())).start()?;
    machine.qmp("quit", json!({}))?;
    let error = machine.wait_line("no such line", within(600)).unwrap_err();
    let Error::Ended { how, log, .. } = &error else { panic!("{error}") };
    assert_eq!(how, "host-qmp-quit");
    std::fs::remove_file(&log.path)?;
    assert_eq!(machine.wait_exit(within(10))?.status, "exit status: 0");
    Ok(())
}

#[test]
fn a_machine_that_qemu_refuses_says_why() {
    let mut machine = Machine::new("/nonexistent/image.raw");
    machine.disks[0].throw_away = false;
    let error = machine.start().unwrap_err().to_string();
    assert!(error.contains("QEMU did not start") && error.contains("/nonexistent/image.raw"), "{error}");
}

#[test]
fn every_bus_a_watchdog_a_second_disk_and_a_record_are_accepted_by_qemu() -> Result<()> {
    let disk = empty_disk();
    let log = tempfile::NamedTempFile::new()?;
    let recorded = Disk::image(disk.path()).recorded(log.path());
    let mut machine = Machine::with_disk(recorded).port("orlop.probe");
    for bus in [Bus::Nvme, Bus::Scsi] {
        machine = machine.disk(Disk::image(disk.path()).bus(bus).size(1 << 40));
    }
    machine.watchdog = true;
    let running = machine.start()?;
    running.qmp("quit", json!({}))?;
    running.wait_exit(within(30))?;
    assert_eq!(WriteLog::open(log.path())?.entries, []);
    Ok(())
}
