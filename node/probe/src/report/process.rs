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
    value["threads"] = status.get("Threads").and_then(|threads| threads.parse::<u64>().ok()).into();
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

/// One process; if it ended meanwhile, it has nulls.
pub fn one(pid: i32) -> Value {
    let file = |name: &str| super::text(format!("/proc/{pid}/{name}"));
    let status = status(pid);
    let number = |key: &str| status.get(key).and_then(|value| value.split('\t').next()?.parse::<i64>().ok());
    let strings = |name: &str| fs::read(format!("/proc/{pid}/{name}")).map_or(Value::Null, |bytes| words(&bytes));
    let capabilities = |key: &str| status.get(key).cloned();
    json!({
        "pid": pid,
        "ppid": number("PPid"),
        "uid": number("Uid"),
        "comm": file("comm"),
        "exe": fs::read_link(format!("/proc/{pid}/exe")).ok(),
        "state": status.get("State").and_then(|state| state.get(..1)),
        "command": strings("cmdline"),
        "environment": strings("environ"),
        "open_files": fs::read_to_string(format!("/proc/{pid}/limits")).ok().and_then(|limits| open_files(&limits)),
        "cap_eff": capabilities("CapEff"),
        "cap_prm": capabilities("CapPrm"),
        "cap_bnd": capabilities("CapBnd"),
        "cap_inh": capabilities("CapInh"),
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

/// Soft and hard limit of open files, from `/proc/PID/limits`.
fn open_files(limits: &str) -> Option<[u64; 2]> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace().map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
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
        assert!(me["state"].is_string(), "{me}");
        assert!(me["open_files"][0].is_u64() && me["open_files"][1].is_u64(), "{me}");
        assert_eq!(words(b"a\0b\0\0"), json!(["a", "b"]));
    }

    #[test]
    fn limits_are_read_and_every_cut_of_them_is_harmless() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024      1048576   files\n";
        assert_eq!(open_files(limits), Some([1024, 1_048_576]));
        for cut in 0..limits.len() {
            let _ = open_files(&limits[..cut]);
        }
    }
}
