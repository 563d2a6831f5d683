//! What the kernel says about itself.

use super::{host, text};
use serde_json::{Map, Value, json};
use std::fs;

/// Single facts.
pub fn facts() -> Value {
    json!({
        "release": text("/proc/sys/kernel/osrelease"),
        "cmdline": text("/proc/cmdline"),
        "boot_id": text("/proc/sys/kernel/random/boot_id"),
        "machine_id": text(host("/etc/machine-id")),
        "hostname": text("/proc/sys/kernel/hostname"),
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
