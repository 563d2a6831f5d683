//! Resident memory of every process on an idle node.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::node::Measurable;
use crate::said;

/// Those that look.
const OURS: [&str; 2] = ["awk", "cat"];
/// Kernel threads have no memory of their own, and no line of it.
const SCRIPT: &str = "cat /proc/[0-9]*/status 2>/dev/null | awk '/^Name:/ { name = $2 } /^VmRSS:/ { rss = $2 } /^RssAnon:/ { print name, rss, $2 }'";

/// All processes of one name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Of {
    processes: u64,
    resident_kib: u64,
    anonymous_kib: u64,
}

/// What the node's processes hold.
#[derive(Debug)]
pub struct Memory(BTreeMap<String, Of>);

/// Looks once.
pub fn measure(node: &Measurable) -> Result<Memory, String> {
    said(node.look(SCRIPT).and_then(|text| Memory::read(&text)))
}

impl Memory {
    /// Lines `NAME RESIDENT ANONYMOUS`, in KiB.
    fn read(text: &str) -> Result<Memory> {
        let mut all: BTreeMap<String, Of> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, resident, anonymous] = words[..] else { anyhow::bail!("not a process: {line}") };
            if OURS.contains(&name) {
                continue;
            }
            let of = all.entry(name.into()).or_default();
            of.processes += 1;
            of.resident_kib += resident.parse::<u64>().with_context(|| line.to_owned())?;
            of.anonymous_kib += anonymous.parse::<u64>().with_context(|| line.to_owned())?;
        }
        Ok(Memory(all))
    }

    /// The most first.
    fn sorted(&self) -> Vec<(&String, &Of)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, of)| std::cmp::Reverse(of.resident_kib));
        all
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| process of an idle node | how many | resident | of it its own (anonymous) |\n|---|---|---|---|\n",
        );
        let mb = |kib: u64| format!("{:.1} MB", kib as f64 * 1024.0 / 1e6);
        let mut sum = Of::default();
        for (name, of) in self.sorted() {
            let _ =
                writeln!(text, "| {name} | {} | {} | {} |", of.processes, mb(of.resident_kib), mb(of.anonymous_kib));
            sum.processes += of.processes;
            sum.resident_kib += of.resident_kib;
            sum.anonymous_kib += of.anonymous_kib;
        }
        let _ = writeln!(text, "| all | {} | {} | {} |", sum.processes, mb(sum.resident_kib), mb(sum.anonymous_kib));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let one = |(name, of): (&String, &Of)| {
            json!({
                "name": name,
                "processes": of.processes,
                "resident_bytes": of.resident_kib * 1024,
                "anonymous_bytes": of.anonymous_kib * 1024,
            })
        };
        self.sorted().into_iter().map(one).collect()
    }
}
