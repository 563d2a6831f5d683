//! The machine on which is measured: a time counts only beside it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// Processor, cores, memory, system, QEMU, load, date, commit.
pub fn describe() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    json!({
        "cpu": field(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_gib": format!("{:.1}", kib as f64 / (1 << 20) as f64),
        "system": field(&read("/etc/os-release"), "PRETTY_NAME"),
        "qemu": first_line("qemu-system-x86_64", &["--version"]),
        "load": read("/proc/loadavg").split(' ').next().unwrap_or_default(),
        "date": first_line("date", &["-u", "+%F %H:%M UTC"]),
        "commit": first_line("git", &["describe", "--always", "--dirty"]),
    })
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
