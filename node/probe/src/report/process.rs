//! Processes, as `/proc` names them.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// PID 1 in more detail than the others.
pub fn pid1() -> Value {
    let status = status(1);
    let kib = |key: &str| status.get(key).and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    let mut value = one(1);
    value["rss_kib"] = kib("VmRSS").into();
    value["peak_kib"] = kib("VmHWM").into();
    for (name, key) in [("cap_eff", "CapEff"), ("cap_prm", "CapPrm"), ("cap_bnd", "CapBnd"), ("cap_inh", "CapInh")] {
        value[name] = status.get(key).cloned().into();
    }
    value["threads"] = status.get("Threads").and_then(|threads| threads.parse::<u64>().ok()).into();
    value["environment"] = fs::read("/proc/1/environ").map_or(Value::Null, |bytes| words(&bytes));
    value
}

/// Every process; kernel threads are those without a program.
pub fn all() -> Value {
    pids().into_iter().map(one).collect()
}

/// The processes of that name.
pub fn named(comm: &str) -> Vec<i32> {
    let is_named =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == comm);
    pids().into_iter().filter(is_named).collect()
}

/// All process ids, in order.
pub fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// A process that ended meanwhile has nulls.
fn one(pid: i32) -> Value {
    let file = |name: &str| super::text(format!("/proc/{pid}/{name}"));
    let status = status(pid);
    let number = |key: &str| status.get(key).and_then(|value| value.split('\t').next()?.parse::<i64>().ok());
    json!({
        "pid": pid,
        "ppid": number("PPid"),
        "uid": number("Uid"),
        "comm": file("comm"),
        "exe": fs::read_link(format!("/proc/{pid}/exe")).ok(),
        "command": fs::read(format!("/proc/{pid}/cmdline")).map_or(Value::Null, |bytes| words(&bytes)),
        "cgroup": file("cgroup"),
        "oom_score_adj": file("oom_score_adj").as_str().and_then(|text| text.parse::<i64>().ok()),
        "no_new_privileges": number("NoNewPrivs"),
        "seccomp": number("Seccomp"),
    })
}

/// `/proc/PID/status` as key → value.
fn status(pid: i32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}

/// NUL-terminated words.
fn words(bytes: &[u8]) -> Value {
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(String::from_utf8_lossy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_them() {
        let pid = std::process::id() as i32;
        assert!(pids().contains(&pid));
        let me = one(pid);
        assert_eq!(me["exe"], json!(std::env::current_exe().expect("a program")));
        assert_eq!(words(b"a\0b\0\0"), json!(["a", "b"]));
    }
}
