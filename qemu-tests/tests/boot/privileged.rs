//! What a privileged pod (`privileged: true`, the host's processes and files) tries against its node, and what comes of it:
//! `attempts.rs` has the list, and `docs/security.md` shows it.
//!
//! Such a pod is root on the node in all but a few capabilities. What it can still do, and nothing here is against:
//!
//! * read and change everything on the state partition, in every other pod, and in containerd and kubelet, whose sockets
//!   and memory are open to it; start whatever it likes through containerd;
//! * mount another program over one that is started by its path, such as runc: pods are then started by that one. PID 1's
//!   own programs were opened before;
//! * have PID 1 call what PID 1 may: power the machine off or reset it, mount, kill;
//! * hold up or break the node: suspend the root's mapped device, overwrite the disk or its partitions (the mapped
//!   device alone is busy; the kernel panics at the next read of such a block, and boots nothing else);
//! * where there is no Secure Boot, load another table with another root hash for the running root: measured on both
//!   machines, and on the one with Secure Boot the kernel answers `ENOKEY`;
//! * set sysctls that the kernel lets root change, `kernel.core_pattern` among them: a program started by it runs outside
//!   of the pod, as root without capabilities;
//! * load BPF programs, as far as lockdown `integrity` allows it.
//!
//! Only what lies on the state partition lasts beyond the next boot, and nothing brings code into the kernel.

use std::path::Path;

use anyhow::{Context, Result};
use orlop_machine::firmware::Enrolled;
use orlop_machine::{Event, Machine, within};
use serde_json::{Value, json};

use crate::attempts::{ATTEMPTS, EPERM, MADE_OF_PID_1, Outcome, Target, attack, on_host, write};
use crate::bench::{Bench, Built, HEALTHY};
use crate::probe::Probed;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const MS_BIND: u64 = 4096;

#[test]
fn what_a_privileged_pod_tries() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let keys = Enrolled::of_folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/keys"))?;
    tried(bench.firmware(bench.throw_away()).secure_boot(keys), "secure-boot+ipe")
}

#[test]
#[cfg_attr(not(feature = "slow"), ignore = "left to make test-slow")]
fn what_a_privileged_pod_tries_without_secure_boot() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    tried(bench.machine(bench.throw_away()), "root-hash")
}

fn tried(machine: Machine, rung: &str) -> Result<()> {
    let node = Probed::boot(machine)?;
    node.0.healthy_with_pod("hello")?;
    node.0.ready()?;
    assert_eq!(node.topic("boot")?["trust"], rung);
    let target = target(&node)?;
    let mut others = Vec::new();
    for attempt in ATTEMPTS {
        let other = attempt.without_secure_boot.filter(|_| rung == "root-hash");
        let expected = other.map_or(attempt.outcome, |(outcome, _)| outcome);
        let answer = node.ask_for_any(&(attempt.command)(&target))?;
        let outcome = match answer["errno"].as_i64() {
            _ if answer["ok"] == true => Some(Outcome::Done),
            errno => errno.map(Outcome::Refused),
        };
        if outcome != Some(expected) {
            others.push(format!("{}: not {expected:?} but {answer}", attempt.what));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    pid_1_cannot_be_made_to(&node, &target)?;
    a_signal_to_pid_1_is_ignored(&node)?;
    a_forged_datagram_makes_nothing_ready(&node)?;
    a_program_can_be_mounted_over_runc(&node)
}

fn target(node: &Probed) -> Result<Target> {
    let [root, verity] = devices(node)?;
    let table = node.topic("verity")?[0].clone();
    let text = |value: &Value| value.as_str().map(str::to_owned).context("the root's table");
    let (name, parameters) = (text(&table["name"])?, text(&table["table"]["parameters"])?);
    Ok(Target { module: a_module(node)?, root, verity, name, parameters })
}

/// Some module's path in the pod.
fn a_module(node: &Probed) -> Result<String> {
    let list = |path: &str| node.ask(json!({ "do": "list", "path": path }));
    let mut path = "/host/usr/lib/modules".to_owned();
    while !path.ends_with(".ko.xz") {
        let names = list(&path)?["names"].clone();
        let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let next = names.iter().find(|name| name.ends_with(".ko.xz") || !name.contains('.') || name.starts_with("6."));
        path = format!("{path}/{}", next.with_context(|| format!("{path}: {names:?}"))?);
    }
    Ok(path)
}

/// The partitions that the root's table names: of the root, and of its hash tree.
fn devices(node: &Probed) -> Result<[String; 2]> {
    let table = node.topic("verity")?[0]["table"]["parameters"].clone();
    let words: Vec<&str> = table.as_str().context("a table")?.split(' ').collect();
    let partitions = node.topic("partitions")?;
    let path = |number: &str| {
        let (major, minor) = number.split_once(':').context("a device's number")?;
        let is_it = |one: &&Value| one["uevent"]["MAJOR"] == major && one["uevent"]["MINOR"] == minor;
        let found = partitions
            .as_array()
            .into_iter()
            .flatten()
            .find(is_it)
            .with_context(|| format!("{number} in {partitions}"))?;
        Ok::<_, anyhow::Error>(format!("/host/dev/{}", found["device"].as_str().context("a name")?))
    };
    Ok([path(words[1])?, path(words[2])?])
}

/// Whoever traces PID 1 has its capabilities, which PID 1 gave up in time.
fn pid_1_cannot_be_made_to(node: &Probed, target: &Target) -> Result<()> {
    for made in MADE_OF_PID_1 {
        let calls = (made.calls)(target);
        let answer = node.ask(attack(json!({ "by": "calls", "pid": 1, "calls": calls })))?;
        let (results, last) = (answer["results"].as_array().context("results")?, json!(-EPERM));
        let wanted = calls.as_array().map(Vec::len);
        assert_eq!((Some(results.len()), results.last()), (wanted, Some(&last)), "{}: {answer}", made.what);
    }
    // And it goes on: what it is asked afterwards, it does.
    node.topic("pid1").map(|pid1| assert_eq!(pid1["comm"], "init"))
}

fn a_signal_to_pid_1_is_ignored(node: &Probed) -> Result<()> {
    let mark = node.0.mark();
    node.ask(json!({ "do": "signal", "pid": 1, "signal": SIGTERM }))?;
    node.0.wait_line_since(mark, "signal: ignored number=15", within(HEALTHY))?;
    Ok(())
}

/// kubelet is healthy when its health check says so, whoever else says it.
fn a_forged_datagram_makes_nothing_ready(node: &Probed) -> Result<()> {
    let mark = node.0.mark();
    let await_event = |wanted: &str| node.0.wait_service_since(mark, "kubelet", wanted, within(HEALTHY));
    node.ask(json!({ "do": "kill", "comm": "kubelet", "signal": SIGKILL }))?;
    await_event("exited")?;
    for _ in 0..20 {
        node.ask(json!({ "do": "datagram", "path": "/host/run/orlop/notify", "text": "READY=1" }))?;
    }
    await_event("healthy")?;
    let kubelet = |event: &Event| match event {
        Event::Service { name, what, .. } if name == "kubelet" => Some(what.clone()),
        _ => None,
    };
    let mut events: Vec<String> = node.0.feed().collect(mark, |happening| happening.event().and_then(kubelet));
    // Console and port both tell of each.
    events.dedup();
    assert_eq!(events, ["exited", "started", "healthy"]);
    Ok(())
}

/// It can be done, and is as long as it is mounted: containerd's shim starts runc by its path, in the host's mounts.
fn a_program_can_be_mounted_over_runc(node: &Probed) -> Result<()> {
    node.ask(write("/host/var/planted", "no program"))?;
    let over = json!({ "by": "mount", "source": "/var/planted", "target": "/usr/bin/runc", "flags": MS_BIND });
    node.ask(on_host(over))?;
    let is_over = || Ok::<_, anyhow::Error>(node.topic("mounts")?.to_string().contains("\"/usr/bin/runc\""));
    assert!(is_over()?, "the host has the mount");
    node.ask(on_host(json!({ "by": "unmount", "target": "/usr/bin/runc" })))?;
    assert!(!is_over()?, "and the root's runc again");
    Ok(())
}

#[test]
fn a_block_of_the_root_that_is_overwritten_ends_the_machine_at_its_next_read() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(bench.machine(bench.throw_away()))?;
    let [root, _] = devices(&node)?;
    let name = root.trim_start_matches("/host/dev/");
    let partitions = node.topic("partitions")?;
    let found = partitions.as_array().into_iter().flatten().find(|one| one["device"] == name).context("the root")?;
    let offset = 512 * found["start_sectors"].as_u64().context("its place")?;
    node.ask(attack(json!({ "by": "overwrite", "path": "/host/dev/vda", "offset": offset })))?;
    node.read_the_root_anew();
    let console = node.0.panicked()?;
    assert!(console.iter().any(|line| line.contains("data block 0 is corrupted")), "{console:?}");
    Ok(())
}
