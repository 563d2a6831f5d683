//! A node's days: first boot, the power key, the next boot.

use std::path::Path;

use anyhow::{Context, Result};
use orlop_machine::{Machine, ReportPort, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Booted, Built, HEALTHY, boot, debugfs};

#[test]
fn power_key_stops_everything_well_and_the_next_boot_goes_on_with_the_state() -> Result<()> {
    let bench = Bench::new(Built::Standalone)?;
    let disk = bench.kept("disk.qcow2", None)?;

    let first = boot(&bench.machine(disk.clone()))?;
    first.healthy_with_pod("hello")?;
    first.ready()?;
    first.power_off()?;
    assert_stopped_in_order(&first);
    let raw = bench.flatten(&disk, "first.raw")?;
    assert_clean(&raw)?;
    assert_pod_saw_sigterm(&raw)?;
    let id = machine_id(&raw)?;
    drop(first);

    let second = boot(&Machine { report: ReportPort::Absent, ..bench.machine(disk.clone()) })?;
    second.healthy_with_pod("hello")?;
    for image in ["localhost/pause:1", "localhost/hello:1"] {
        second.wait_line(&format!("{image} present"), within(HEALTHY))?;
    }
    assert!(!second.said("recovery complete"), "the journal was replayed after a clean end");
    second.ready()?;
    ctrl_alt_del(&second)?;
    second.wait_line("orlop: shutdown: asked by ctrl-alt-del", within(HEALTHY))?;
    second.stops_with("guest-reset")?;
    let raw = bench.flatten(&disk, "second.raw")?;
    assert_eq!(machine_id(&raw)?, id);
    assert_clean(&raw)
}

fn ctrl_alt_del(machine: &Booted) -> Result<()> {
    let keys = ["ctrl", "alt", "delete"].map(|key| json!({ "type": "qcode", "data": key }));
    machine.qmp("send-key", json!({ "keys": keys })).map(drop).map_err(Into::into)
}

/// kubelet before the containers, which it would start again, then containers, then containerd, then the state. Without a
/// cluster nobody asks kubelet to end the pods.
fn assert_stopped_in_order(machine: &Booted) {
    let console = machine.console();
    let at = |text: &str| console.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}`"));
    let steps = [
        "orlop: shutdown: asked by power key",
        "orlop: poweroff phase=pods",
        "orlop: poweroff phase=kubelet",
        "orlop: stop: pod=hello",
        "orlop: poweroff phase=containers",
        "orlop: poweroff phase=containerd",
        "orlop: poweroff phase=sync",
        "orlop: state: unmounted clean=true",
    ];
    assert!(steps.map(at).is_sorted(), "{:?}", steps.map(at));
}

/// Unmounted: the journal has nothing to say, and the filesystem says that it is clean.
fn assert_clean(disk: &Path) -> Result<()> {
    let stats = debugfs(disk, "stats -h")?;
    let line = |key: &str| stats.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).map(str::to_owned);
    assert_eq!(line("Filesystem state:").as_deref(), Some("clean"), "{stats}");
    assert!(!line("Filesystem features:").context("features")?.contains("needs_recovery"), "{stats}");
    Ok(())
}

fn machine_id(disk: &Path) -> Result<String> {
    let record = debugfs(disk, "cat /lib/orlop/state.json")?;
    let record: Value = serde_json::from_str(&record).with_context(|| record.clone())?;
    Ok(record["machine_id"].as_str().context("a machine id")?.to_owned())
}

/// The pod's own last line, in the log that kubelet keeps of it.
fn assert_pod_saw_sigterm(disk: &Path) -> Result<()> {
    let pods = names(disk, "/log/pods")?;
    let pod = pods.iter().find(|name| name.contains("hello")).with_context(|| format!("a log of hello in {pods:?}"))?;
    let log = debugfs(disk, &format!("cat /log/pods/{pod}/hello/0.log"))?;
    assert!(log.contains("terminated by SIGTERM"), "{log}");
    Ok(())
}

/// The names in a folder.
fn names(disk: &Path, folder: &str) -> Result<Vec<String>> {
    // `/inode/mode/uid/gid/name/size/` a line
    let listing = debugfs(disk, &format!("ls -p {folder}"))?;
    Ok(listing.lines().filter_map(|line| line.split('/').nth(5)).map(str::to_owned).collect())
}
