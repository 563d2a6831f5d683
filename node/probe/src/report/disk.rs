//! Disks: mapped devices with their tables, partitions, and the state filesystem's size.

use super::{host, text};
use crate::sys::dm;
use nix::sys::statvfs::statvfs;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Every device-mapper device, with the table that the kernel has loaded.
pub fn mapped() -> Value {
    let devices = block_devices().into_iter().filter(|device| device.join("dm").is_dir());
    devices.map(|device| one_mapped(&device)).collect()
}

fn one_mapped(device: &Path) -> Value {
    let name = text(device.join("dm/name"));
    let table = match dm::table(name.as_str().unwrap_or_default()) {
        Ok((sectors, kind, parameters)) => json!({"sectors": sectors, "type": kind, "parameters": parameters}),
        Err(error) => json!({"error": error.to_string()}),
    };
    json!({
        "device": device.file_name().map(|name| name.to_string_lossy()),
        "name": name,
        "uuid": text(device.join("dm/uuid")),
        "read_only": text(device.join("ro")),
        "table": table,
    })
}

/// Every partition, with what the kernel read from the table.
pub fn partitions() -> Value {
    let partitions = block_devices().into_iter().filter(|device| device.join("partition").exists());
    partitions.map(|device| one_partition(&device)).collect()
}

fn one_partition(device: &Path) -> Value {
    let number = |name: &str| text(device.join(name)).as_str().and_then(|text| text.parse::<u64>().ok());
    let uevent = fs::read_to_string(device.join("uevent")).unwrap_or_default();
    let facts = uevent.lines().filter_map(|line| line.split_once('='));
    json!({
        "device": device.file_name().map(|name| name.to_string_lossy()),
        "number": number("partition"),
        "start_sectors": number("start"),
        "sectors": number("size"),
        "read_only": text(device.join("ro")),
        "uevent": facts.map(|(key, value)| (key.to_owned(), value.into())).collect::<Map<_, _>>(),
    })
}

/// What is mounted at `/var`.
pub fn state() -> Value {
    let Ok(filesystem) = statvfs(host("/var").as_str()) else { return Value::Null };
    let bytes = |blocks: u64| blocks * filesystem.fragment_size();
    json!({
        "bytes": bytes(filesystem.blocks()),
        "free": bytes(filesystem.blocks_free()),
        "record": fs::read(host("/var/lib/orlop/state.json"))
            .ok()
            .and_then(|record| serde_json::from_slice::<Value>(&record).ok()),
    })
}

fn block_devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let mut devices: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    devices.sort();
    devices
}
