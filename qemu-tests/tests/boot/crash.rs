//! A kernel that crashes leaves its last lines in the firmware's variables; the next boot keeps them in the state.

use anyhow::{Context, Result};
use orlop_machine::{Event, Machine, within};
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY};
use crate::probe::Probed;

#[test]
fn the_last_lines_of_a_kernel_that_crashed_are_kept_by_the_next_boot() -> Result<()> {
    let bench = Bench::new(Built::Probe)?;
    // The same machine goes on after its reset: the variables are its own.
    let node = Probed::boot(Machine { end_on_reset: false, ..bench.firmware(bench.throw_away()) })?;
    // Then the module is there that writes them.
    node.0.ready()?;
    // Its answer does not come.
    node.tell(&json!({ "do": "write", "path": "/proc/sysrq-trigger", "text": "c" }));
    let console = node.0.panicked()?;
    assert!(console.iter().any(|line| line.contains("sysrq triggered crash")), "{console:?}");
    let mark = node.0.mark();
    node.0.wait_line_since(mark, "orlop: pstore: records of a crash kept in /var/log/pstore: ", within(HEALTHY))?;
    node.0.wait_event_since(mark, "ready", within(HEALTHY), |event| matches!(event, Event::Ready { .. }))?;

    let kept = node.ask(json!({ "do": "list", "path": "/host/var/log/pstore" }))?;
    let kept: Vec<&str> = kept["names"].as_array().context("names")?.iter().filter_map(Value::as_str).collect();
    assert!(kept.iter().all(|name| name.starts_with("dmesg-")), "{kept:?}");
    let first = kept.first().context("a record")?;
    let record = node.ask(json!({ "do": "read", "path": format!("/host/var/log/pstore/{first}") }))?;
    assert!(record["head"].as_str().is_some_and(|head| head.starts_with("Panic#1 Part1")), "{record}");
    let left = node.ask(json!({ "do": "list", "path": "/host/sys/fs/pstore" }))?;
    assert_eq!(left["names"], json!([]), "the firmware has room for the next crash");
    Ok(())
}
