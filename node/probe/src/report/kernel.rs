//! What the kernel says about itself.

use super::{host, text};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// Single facts.
pub fn facts() -> Value {
    json!({
        "release": text("/proc/sys/kernel/osrelease"),
        "cmdline": text("/proc/cmdline"),
        "boot_id": text("/proc/sys/kernel/random/boot_id"),
        "machine_id": text(host("/etc/machine-id")),
        "hostname": text("/proc/sys/kernel/hostname"),
        "hosts": text(host("/etc/hosts")),
        "interfaces": interfaces(),
        "modules_disabled": text("/proc/sys/kernel/modules_disabled"),
        "modules": modules(),
        "lockdown": text(host("/sys/kernel/security/lockdown")),
        "tainted": text("/proc/sys/kernel/tainted"),
        "meminfo": meminfo(),
    })
}

/// What the node's settings ask for beside what is: `[name, wanted, is]`.
pub fn sysctls() -> Value {
    let settings = fs::read(host("/usr/share/orlop/node.json")).unwrap_or_default();
    let settings: Value = serde_json::from_slice(&settings).unwrap_or_default();
    let asked = settings["sysctls"].as_array().cloned().unwrap_or_default();
    asked.iter().map(|pair| json!([pair[0], pair[1], sysctl(pair[0].as_str().unwrap_or_default())])).collect()
}

fn sysctl(name: &str) -> Value {
    text(format!("/proc/sys/{}", name.replace('.', "/")))
}

/// The host's network interfaces, each with the driver of its hardware; most have neither.
fn interfaces() -> Value {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let driver = |interface: &Path| {
        let driver = fs::read_link(interface.join("device/driver")).ok()?;
        Some(driver.file_name()?.to_string_lossy().into_owned())
    };
    let pairs = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), driver(&entry.path()).into()));
    pairs.collect::<Map<_, _>>().into()
}

/// The boot report, as PID 1 wrote it down.
pub fn boot_report() -> Value {
    let document = fs::read(host("/run/orlop/boot.json")).unwrap_or_default();
    serde_json::from_slice(&document).unwrap_or_default()
}

fn modules() -> Value {
    let text = fs::read_to_string("/proc/modules").unwrap_or_default();
    text.lines().filter_map(|line| line.split(' ').next()).collect()
}

fn meminfo() -> Value {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let number = |value: &str| value.split_whitespace().next()?.parse::<u64>().ok();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.to_owned(), number(value).into())).collect::<Map<_, _>>().into()
}
