//! What the node is: one JSON object per topic, read from the kernel, never from what was configured.

mod disk;
mod kernel;
mod listeners;
mod mounts;
pub mod process;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Where the host's root is in the pod.
pub const HOST: &str = "/host";

/// All topics, in the order that they are sent.
pub fn all() -> Vec<Value> {
    let topics = [
        ("pid1", process::pid1()),
        ("processes", process::all()),
        ("listeners", listeners::all()),
        ("mounts", mounts::of("1")),
        ("volumes", mounts::of("self")),
        ("kernel", kernel::facts()),
        ("boot", kernel::boot_report()),
        ("sysctls", kernel::sysctls()),
        ("verity", disk::mapped()),
        ("partitions", disk::partitions()),
        ("state", disk::state()),
    ];
    let line = |(topic, value): (&str, Value)| json!({"topic": topic, "value": value});
    topics.into_iter().map(line).chain([json!({"topic": "end"})]).collect()
}

/// A small file of proc or sysfs without its last line feed; `null` where there is none.
fn text(path: impl AsRef<Path>) -> Value {
    fs::read_to_string(path).map_or(Value::Null, |text| text.trim_end().into())
}

/// A file under the host's root.
fn host(path: &str) -> String {
    format!("{HOST}{path}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_topic_is_read_on_any_linux() {
        let lines = super::all();
        assert_eq!(lines.len(), 12);
        for line in &lines[..2] {
            assert!(!line["value"].is_null(), "{line}");
        }
    }
}
