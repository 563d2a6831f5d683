//! What a privileged pod (`privileged: true`, the host's processes and files) tries against its node, and what comes of it.
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
//! * where there is no Secure Boot, put another table with another root hash under the running root; with it, the kernel
//!   asks for a signature by a key of the firmware;
//! * set sysctls that the kernel lets root change, `kernel.core_pattern` among them: a program started by it runs outside
//!   of the pod, as root without capabilities;
//! * load BPF programs, as far as lockdown `integrity` allows it.
//!
//! Only what lies on the state partition lasts beyond the next boot, and nothing brings code into the kernel.

use anyhow::{Context, Result};
use orlop_machine::{Event, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY};
use crate::probe::Probed;

const EPERM: i64 = 1;
const EACCES: i64 = 13;
const EBUSY: i64 = 16;
const EINVAL: i64 = 22;
const ENOKEY: i64 = 126;
const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const MS_REMOUNT: u64 = 32;
const MS_BIND: u64 = 4096;
/// System calls of x86-64.
const WRITE: i64 = 1;
const OPEN: i64 = 2;
const KEXEC_LOAD: i64 = 246;
const FINIT_MODULE: i64 = 313;
const CAPSET: i64 = 126;

/// What comes of an attempt.
#[derive(Debug, PartialEq)]
enum Outcome {
    Refused(i64),
    Done,
}
use Outcome::{Done, Refused};

#[test]
fn what_a_privileged_pod_tries() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(bench.machine(bench.throw_away()))?;
    node.0.healthy_with_pod("hello")?;
    node.0.ready()?;
    let mut others = Vec::new();
    for (what, command, expected) in rows(&node)? {
        let answer = node.ask_for_any(&command)?;
        let outcome = match answer["errno"].as_i64() {
            _ if answer["ok"] == true => Some(Done),
            errno => errno.map(Refused),
        };
        if outcome.as_ref() != Some(&expected) {
            others.push(format!("{what}: not {expected:?} but {answer}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    pid_1_cannot_be_made_to(&node)?;
    a_signal_to_pid_1_is_ignored(&node)?;
    a_forged_datagram_makes_nothing_ready(&node)?;
    a_program_can_be_mounted_over_runc(&node)
}

fn attack(attack: Value) -> Value {
    json!({ "do": "attack", "attack": attack })
}

fn on_host(attack: Value) -> Value {
    json!({ "do": "attack", "attack": attack, "on_host": true })
}

fn write(path: &str, text: &str) -> Value {
    json!({ "do": "write", "path": path, "text": text })
}

fn rows(node: &Probed) -> Result<Vec<(&'static str, Value, Outcome)>> {
    let module = a_module(node)?;
    let [root, verity] = devices(node)?;
    let table = node.topic("verity")?[0].clone();
    let name = table["name"].as_str().context("a name")?.to_owned();
    let parameters = table["table"]["parameters"].as_str().context("a table")?;
    let words: Vec<&str> = parameters.split(' ').collect();
    let hash = words.get(8).context("a root hash")?;
    let other = parameters.replace(hash, &hash.chars().rev().collect::<String>());
    let rung = node.topic("boot")?["trust"].clone();
    Ok(vec![
        ("a signed module of the root", attack(json!({ "by": "module", "path": module })), Refused(EPERM)),
        ("an unsigned module", attack(json!({ "by": "module-bytes" })), Refused(EPERM)),
        ("modules opened again", write("/proc/sys/kernel/modules_disabled", "0"), Refused(EINVAL)),
        ("IPE switched off", write("/host/sys/kernel/security/ipe/enforce", "0"), Refused(EPERM)),
        ("another IPE policy", write("/host/sys/kernel/security/ipe/new_policy", "x"), Refused(EPERM)),
        ("another kernel", attack(json!({ "by": "kexec" })), Refused(EPERM)),
        ("another kernel from a file", attack(json!({ "by": "kexec-file", "path": module })), Refused(EPERM)),
        ("kexec allowed again", write("/proc/sys/kernel/kexec_load_disabled", "0"), Refused(EINVAL)),
        (
            "capabilities for the kernel's helpers",
            write("/proc/sys/kernel/usermodehelper/bset", "4294967295 4294967295"),
            Refused(EPERM),
        ),
        ("reboot(2)", attack(json!({ "by": "reboot" })), Refused(EPERM)),
        ("the machine's memory", attack(json!({ "by": "open", "path": "/host/dev/mem" })), Refused(EPERM)),
        (
            "the root remounted for writing",
            on_host(json!({ "by": "mount", "target": "/", "flags": MS_REMOUNT })),
            Refused(EACCES),
        ),
        ("the root's mapped device", attack(json!({ "by": "open", "path": "/host/dev/dm-0" })), Refused(EBUSY)),
        // Nothing but dm-verity guards what lies below the mapped device: see the test of an overwritten block.
        ("the root's partition", attack(json!({ "by": "open", "path": root })), Done),
        ("its verity partition", attack(json!({ "by": "open", "path": verity })), Done),
        (
            "another kind of table for the root",
            attack(json!({ "by": "table", "name": name, "target": "linear", "parameters": format!("{} 0", words[1]) })),
            Refused(EINVAL),
        ),
        ("the root held up", attack(json!({ "by": "suspend", "name": name })), Done),
        (
            "a table with another root hash",
            attack(json!({ "by": "table", "name": name, "target": "verity", "parameters": other })),
            // Without Secure Boot the kernel asks for no signature.
            if rung == "root-hash" { Done } else { Refused(ENOKEY) },
        ),
    ])
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
fn pid_1_cannot_be_made_to(node: &Probed) -> Result<()> {
    let module = a_module(node)?.replace("/host", "");
    // All capabilities, for itself: version 3 of the header, then effective, permitted and inheritable, twice.
    let header = "\u{22}\u{5}\u{8}\u{20}";
    let all = "\u{7f}".repeat(24);
    for (what, calls, made) in [
        ("load a module", json!([[OPEN, [module, 0]], [FINIT_MODULE, [{ "result": 0 }, "", 4]]]), 2),
        (
            "switch IPE off",
            json!([[OPEN, ["/sys/kernel/security/ipe/enforce", 1]], [WRITE, [{ "result": 0 }, "0", 1]]]),
            2,
        ),
        ("start another kernel", json!([[KEXEC_LOAD, [0, 0, 0, 0]]]), 1),
        ("take its capabilities back", json!([[CAPSET, [header, all]]]), 1),
    ] {
        let answer = node.ask(attack(json!({ "by": "calls", "pid": 1, "calls": calls })))?;
        let results = answer["results"].as_array().context("results")?;
        assert_eq!((results.len(), results.last()), (made, Some(&json!(-EPERM))), "{what}: {answer}");
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
    let await_event = |wanted: &'static str| {
        let is_it = move |event: &Event| matches!(event, Event::Service { name, what, .. } if name == "kubelet" && what == wanted);
        node.0.wait_event_since(mark, &format!("kubelet {wanted}"), within(HEALTHY), is_it)
    };
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
    node.ask(json!({ "do": "drop-caches" }))?;
    // Its answer does not come.
    let _ = node.0.write_port(crate::probe::PORT, &json!({ "do": "read", "path": "/host/dev/dm-0" }).to_string());
    let console = node.0.panicked()?;
    assert!(console.iter().any(|line| line.contains("data block 0 is corrupted")), "{console:?}");
    Ok(())
}
