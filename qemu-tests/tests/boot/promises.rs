//! What the booted node is, read from inside (architecture §1, §6; host-contract; hardening).

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use orlop_machine::{Disk, Event, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY, open};
use crate::probe::Probed;

#[test]
fn the_booted_node_is_what_was_promised() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    let node = Probed::boot(&bench, bench.throw_away())?;
    node.0.wait_event("ready", within(HEALTHY), |event| matches!(event, Event::Ready { .. }))?;
    pid_1_is_small(&node.topic("pid1")?);
    processes_are_the_promised_ones(&node.topic("processes")?);
    nothing_listens_beyond_loopback(&node.topic("listeners")?);
    mounts_have_their_flags(&node.topic("mounts")?)?;
    kernel_is_closed(&node.topic("kernel")?);
    sysctls_are_set(&node.topic("sysctls")?);
    root_is_under_verity(&node.topic("verity")?);
    Ok(())
}

/// dm-verity reads nothing that nobody reads: the pod reads every block of the root's mapped device.
#[test]
fn a_flipped_bit_deep_in_the_root_is_found_by_its_reader() -> Result<()> {
    use std::os::unix::fs::FileExt;
    let bench = Bench::new(Built::Probe)?;
    let disk = bench.copy("disk.raw")?;
    let image = orlop_machine::image::Image::open(&disk)?;
    let root = image.partition("root-a")?;
    let end = last_used_block(&open(&disk)?, root.offset, root.length)?;
    // The last block with content: what the boot needs lies before it, or is found by the boot itself.
    let file = open(&disk)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, end)?;
    file.write_all_at(&[byte[0] ^ 1], end)?;
    let probed = Probed::boot(&bench, Disk::image(&disk));
    let console = match &probed {
        // Nobody has read it yet.
        Ok(node) => {
            let device = json!({ "do": "read", "path": "/host/dev/dm-0" });
            node.0.write_port("orlop.probe", &device.to_string())?;
            node.0.panicked()?
        }
        Err(error) => vec![format!("{error:?}")],
    };
    let line = console.iter().find(|line| line.contains("is corrupted"));
    assert!(line.is_some_and(|line| line.contains("verity") && line.contains("data block")), "{line:?}");
    Ok(())
}

/// Offset of the last byte of the last 4096-byte block that is not zero.
fn last_used_block(file: &std::fs::File, start: u64, length: u64) -> Result<u64> {
    use std::os::unix::fs::FileExt;
    let mut block = [0; 4096];
    for number in (0..length / 4096).rev() {
        let offset = start + number * 4096;
        file.read_exact_at(&mut block, offset)?;
        if let Some(at) = block.iter().rposition(|byte| *byte != 0) {
            return Ok(offset + at as u64);
        }
    }
    anyhow::bail!("the root partition is empty")
}

fn pid_1_is_small(pid1: &Value) {
    let rss = pid1["rss_kib"].as_u64().unwrap_or(u64::MAX);
    assert!(rss <= 3 * 1024, "PID 1 holds {rss} KiB");
    assert_eq!(pid1["comm"], "init");
    assert_eq!(pid1["threads"], 1, "{pid1}");
    let effective = u64::from_str_radix(pid1["cap_eff"].as_str().unwrap_or("ffffffffffffffff"), 16).unwrap_or(u64::MAX);
    // CAP_SYS_MODULE and CAP_MAC_ADMIN, given up once the modules are closed.
    assert_eq!(effective & (1 << 16 | 1 << 33), 0, "capabilities of PID 1: {effective:x}");
}

fn processes_are_the_promised_ones(processes: &Value) {
    let programs = processes.as_array().into_iter().flatten().filter(|process| process["exe"].is_string());
    let names: BTreeSet<&str> = programs.clone().filter_map(|process| process["comm"].as_str()).collect();
    let promised = ["init", "containerd", "kubelet", "containerd-shim", "pause", "hello", "probe"];
    let stranger = names.iter().find(|name| !promised.contains(name));
    assert!(stranger.is_none(), "{stranger:?} runs; promised are {promised:?}");
    for (service, score) in [("containerd", -999), ("kubelet", -999)] {
        let found = programs.clone().find(|process| process["comm"] == service);
        assert_eq!(found.map(|process| process["oom_score_adj"].clone()), Some(json!(score)), "{service}");
    }
}

/// Pods have addresses of their own; the host has none that a network could reach.
fn nothing_listens_beyond_loopback(listeners: &Value) {
    let open = listeners.as_array().into_iter().flatten().filter(|listener| {
        let address = listener["address"].as_str().unwrap_or_default();
        address.parse().is_ok_and(|address: std::net::IpAddr| !address.is_loopback())
    });
    assert_eq!(open.collect::<Vec<_>>(), Vec::<&Value>::new());
}

fn mounts_have_their_flags(mounts: &Value) -> Result<()> {
    let all = mounts.as_array().context("mounts")?;
    let find = |target: &str| {
        all.iter().rev().find(|mount| mount["target"] == target).with_context(|| format!("{target} in {all:?}"))
    };
    let has = |mount: &Value, key: &str, option: &str| {
        mount[key].as_array().into_iter().flatten().any(|found| found == option)
    };
    let root = find("/")?;
    assert_eq!(root["fstype"], "erofs");
    assert!(has(root, "options", "ro"), "{root}");
    assert!(root["propagation"].to_string().contains("shared:"), "{root}");
    let promised = [
        ("/var", "ext4", &["nosuid", "nodev"][..]),
        ("/run", "tmpfs", &["nosuid", "nodev"]),
        ("/tmp", "tmpfs", &["nosuid", "nodev"]),
        ("/proc", "proc", &["nosuid", "nodev", "noexec"]),
        ("/sys", "sysfs", &["nosuid", "nodev", "noexec"]),
        ("/dev", "devtmpfs", &["nosuid"]),
        ("/dev/shm", "tmpfs", &["nosuid", "nodev"]),
        ("/sys/fs/cgroup", "cgroup2", &["nosuid", "nodev", "noexec"]),
    ];
    for (target, kind, options) in promised {
        let mount = find(target)?;
        assert_eq!(mount["fstype"], kind, "{mount}");
        for option in options {
            assert!(has(mount, "options", option), "{target} lacks {option}: {mount}");
        }
    }
    Ok(())
}

fn kernel_is_closed(kernel: &Value) {
    assert_eq!(kernel["modules_disabled"], "1");
    let lockdown = kernel["lockdown"].as_str().unwrap_or_default();
    assert!(lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]"), "{lockdown}");
    assert_eq!(kernel["tainted"], "0");
    let command_line = kernel["cmdline"].as_str().unwrap_or_default();
    assert!(command_line.ends_with(" --"), "{command_line}");
}

fn sysctls_are_set(sysctls: &Value) {
    let rows = sysctls.as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(!rows.is_empty());
    for row in rows {
        let name = row[0].as_str().unwrap_or_default();
        // AppArmor's are shown to CAP_MAC_ADMIN only, which no pod gets; PID 1 had it when it read them back.
        if !(name.starts_with("kernel.apparmor_") && row[2].is_null()) {
            let words =
                |value: &Value| value.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            assert_eq!(words(&row[1]), words(&row[2]), "{name}");
        }
    }
}

fn root_is_under_verity(devices: &Value) {
    let device = &devices[0];
    assert_eq!(device["table"]["type"], "verity", "{devices}");
    assert_eq!(device["read_only"], "1");
    let parameters = device["table"]["parameters"].as_str().unwrap_or_default();
    assert!(parameters.contains("panic_on_corruption"), "{parameters}");
}
