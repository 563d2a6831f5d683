//! Services that are killed come back, and pods do not notice; and what a node with work on its hands does when it is
//! asked to stop.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use orlop_machine::{Event, Machine, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY, debugfs};
use crate::probe::Probed;

/// Seconds until a killed service must be healthy again.
const BACK: u64 = 120;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGSTOP: i32 = 19;
/// The grace period of the pod `hello`, in milliseconds.
const GRACE: u64 = 10_000;

#[test]
fn killed_services_come_back_and_pods_do_not_notice() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let disk = bench.kept("disk.qcow2", None)?;
    let node = Probed::boot(Machine { network: true, ..bench.machine(disk.clone()) })?;
    node.0.healthy_with_pod("hello")?;
    // Until then a second process of the init binary loads modules, and would be hit by signals to that name.
    node.0.ready()?;
    a_network_card_has_its_driver(&node)?;
    let hello = node.pid("hello")?;
    for service in ["kubelet", "containerd"] {
        let before = node.pid(service)?;
        let mark = node.0.mark();
        node.ask(json!({ "do": "kill", "comm": service, "signal": SIGKILL }))?;
        for wanted in ["exited", "started", "healthy"] {
            node.0.wait_service_since(mark, service, wanted, within(BACK))?;
        }
        assert_ne!(node.pid(service)?, before);
        assert_eq!(node.pid("hello")?, hello, "{service}'s end took the pod's process with it");
    }
    every_orphan_is_reaped(&node)?;
    signals_to_pid_1_are_ignored(&node)?;
    a_full_state_loses_no_line_silently(&node)?;
    a_pod_that_does_not_end_holds_up_no_shutdown(&node)?;
    let console = node.0.console();
    drop(node);
    let log = debugfs(&bench.flatten(&disk, "disk.raw")?, "cat /log/containerd.log")?;
    the_log_has_what_the_report_says(&log, &console);
    Ok(())
}

/// A kubelet that is stopped hears no signal, and answers nobody: its silence ends it. Pods do not notice.
#[cfg(feature = "slow")]
#[test]
fn a_kubelet_that_hangs_is_killed_and_comes_back() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(bench.machine(bench.throw_away()))?;
    node.0.healthy_with_pod("hello")?;
    node.0.ready()?;
    let (before, hello) = (node.pid("kubelet")?, node.pid("hello")?);
    let mark = node.0.mark();
    node.ask(json!({ "do": "kill", "comm": "kubelet", "signal": SIGSTOP }))?;
    node.0.wait_line_since(mark, "orlop: kubelet: has not said that it is alive for 60 s: killed", within(BACK))?;
    for wanted in ["exited", "started", "healthy"] {
        node.0.wait_service_since(mark, "kubelet", wanted, within(BACK))?;
    }
    assert_ne!(node.pid("kubelet")?, before);
    assert_eq!(node.pid("hello")?, hello, "kubelet's end took the pod's process with it");
    // The end of its log stands between, for whoever looks for the reason.
    let console = node.0.feed().collect(mark, |happening| happening.console().map(str::to_owned));
    let at = |text: &str| console.iter().position(|line| line.contains(text)).unwrap_or_default();
    let quoted = &console[at("is alive for 60 s")..at("service=kubelet event=exited")];
    assert!(quoted.iter().any(|line| line.contains("orlop: | ")), "{quoted:?}");
    Ok(())
}

/// The driver is a module that this device alone asks for.
fn a_network_card_has_its_driver(node: &Probed) -> Result<()> {
    let kernel = node.topic("kernel")?;
    let drivers = kernel["interfaces"].as_object().context("interfaces")?.values().filter(|driver| !driver.is_null());
    assert_eq!(drivers.collect::<Vec<_>>(), ["virtio_net"], "{}", kernel["interfaces"]);
    Ok(())
}

/// A process that is a zombie twice: nobody takes its status.
fn every_orphan_is_reaped(node: &Probed) -> Result<()> {
    let zombies = || -> Result<BTreeSet<String>> {
        let processes = node.topic("processes")?;
        let zombies = processes.as_array().context("processes")?.iter().filter(|process| process["state"] == "Z");
        Ok(zombies.map(|process| format!("{} {}", process["pid"], process["comm"])).collect())
    };
    let (first, second) = (zombies()?, zombies()?);
    assert_eq!(first.intersection(&second).collect::<Vec<_>>(), Vec::<&String>::new());
    Ok(())
}

/// A signal that a process sends to PID 1 is said and does nothing: only the kernel and the power key end a node.
fn signals_to_pid_1_are_ignored(node: &Probed) -> Result<()> {
    let mark = node.0.mark();
    node.ask(json!({ "do": "kill", "comm": "init", "signal": SIGTERM }))?;
    node.0.wait_line_since(mark, "orlop: signal: ignored number=15", within(BACK))?;
    Ok(())
}

/// The node stays up on a full disk. Lines that found no room are counted, and the count is said when there is
/// room again.
fn a_full_state_loses_no_line_silently(node: &Probed) -> Result<()> {
    let path = "/host/var/fill";
    let survivors = [node.pid("hello")?, node.pid("kubelet")?];
    let filled = node.ask(json!({ "do": "fill", "path": path, "leave_bytes": 0 }))?;
    assert!(filled["taken"].as_u64() > Some(0), "{filled}");
    let mark = node.0.mark();
    // Its start writes some hundred lines.
    node.ask(json!({ "do": "kill", "comm": "containerd", "signal": SIGKILL }))?;
    node.0.wait_line_since(mark, "orlop: containerd: log cannot be written", within(BACK))?;
    node.ask(json!({ "do": "unfill", "path": path }))?;
    node.0.wait_line_since(mark, "service=containerd event=log-recovered", within(BACK))?;
    node.0.wait_service_since(mark, "containerd", "healthy", within(BACK))?;
    assert_eq!([node.pid("hello")?, node.pid("kubelet")?], survivors, "a full disk ended a process");
    assert_eq!(node.topic("state")?["record"]["version"], Value::from(1));
    Ok(())
}

/// A process that is stopped sees no SIGTERM: it is killed after its grace period, and the state is unmounted
/// cleanly all the same.
fn a_pod_that_does_not_end_holds_up_no_shutdown(node: &Probed) -> Result<()> {
    let mark = node.0.mark();
    node.ask(json!({ "do": "kill", "comm": "hello", "signal": SIGSTOP }))?;
    node.0.power_off()?;
    let ends = |phase: &str| {
        let is_it = |event: &Event| matches!(event, Event::Stopped { phase: name, .. } if name == phase);
        match node.0.wait_event_since(mark, phase, within(HEALTHY), is_it)? {
            Event::Stopped { ms, .. } => Ok(ms),
            other => anyhow::bail!("{other:?}"),
        }
    };
    let took = ends("containers")? - ends("kubelet")?;
    assert!(took >= GRACE, "the containers were stopped after {took} ms");
    assert!(!node.0.said("containers not done after"), "the containers' deadline passed");
    assert!(node.0.said("orlop: state: unmounted clean=true"));
    Ok(())
}

/// How many lines were lost, each time: the log says so where they are missing. Where none is, it has the line that
/// containerd writes at each of its starts.
fn the_log_has_what_the_report_says(log: &str, console: &[String]) {
    let recovered = console.iter().filter_map(|line| line.split_once("service=containerd event=log-recovered "));
    let lost: Vec<u64> = recovered.filter_map(|(_, facts)| number_after(facts, "lost_lines=")).collect();
    let lost: Vec<u64> = lost.into_iter().filter(|lines| *lines > 0).collect();
    let said = log.lines().filter(|line| line.ends_with(" lines were lost here: the disk took none"));
    assert_eq!(said.filter_map(|line| number_after(line, "orlop: ")).collect::<Vec<_>>(), lost);
    let starts = console.iter().filter(|line| line.contains("service=containerd event=started")).count();
    let begins = log.lines().filter(|line| line.contains("msg=\"starting containerd\"")).count();
    assert!(begins == starts || !lost.is_empty(), "containerd was started {starts} times, not {begins}");
}

fn number_after(text: &str, marker: &str) -> Option<u64> {
    let digits = text.split_once(marker)?.1;
    digits.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok()
}
