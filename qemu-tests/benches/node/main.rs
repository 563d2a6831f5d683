//! What a node of a cluster takes, measured in the lab: `make bench`.
//!
//! Beside a number stands what bounds it, or the same without what is measured, in the same run. Nothing is a test: no number
//! fails anything. A part that could not be measured is named with the reason.

mod boots;
mod firewall;
#[path = "../../../builder/benches/peers/host.rs"]
mod host;
mod memory;
mod node;
mod pods;
mod pulls;
// What holds a number against a limit is for the promised ones.
#[allow(dead_code)]
#[path = "../../../builder/benches/peers/row.rs"]
mod row;
// What only tests need of it.
#[allow(dead_code)]
#[path = "../../tests/lab/segment.rs"]
mod segment;
mod stream;

use std::fs;
use std::path::Path;

use anyhow::Context;
use row::{Limit, Measured, Row, Samples, Unit, table};
use serde_json::json;

use crate::memory::Memory;
use crate::node::Measurable;

/// Where the numbers go.
const JSON: &str = "out/bench-node.json";

fn main() -> anyhow::Result<()> {
    // Cargo starts benchmarks in the crate's folder.
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in the repository")?;
    std::env::set_current_dir(repository)?;
    let machine = host::describe();
    eprintln!("bench: {machine}");
    let mut rows = Vec::new();
    note("boots of a node, until the cluster calls it Ready");
    let (node, running) = boots::measure(segment::segment()?, &mut rows)?;
    let measurable = Measurable::prepare(node.segment, &node.name)?;
    note("memory");
    let memory = memory::measure(&measurable);
    note("pods");
    pods::measure(&measurable, &mut rows);
    note("pulls");
    pulls::measure(&measurable, &mut rows);
    note("the firewall");
    firewall::measure(&measurable, &mut rows);
    drop(running);
    let document = json!({
        "machine": machine,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "memory": memory.as_ref().map(Memory::json).unwrap_or_else(|why| json!({ "missing": why })),
    });
    fs::write(JSON, serde_json::to_vec_pretty(&document)?).context("writing the numbers")?;
    eprintln!("bench: {JSON}");
    let memory = memory.as_ref().map_or_else(|why| format!("missing: memory: {why}\n"), Memory::table);
    println!("{}\n{memory}\n{machine}", table(&rows));
    Ok(())
}

/// A row of seconds without a promise.
fn seconds(what: &'static str, ours: Measured, peer: Option<(&'static str, Measured)>) -> Row {
    Row { what, unit: Unit::Seconds, ours, peer, must: Limit::None, aim: Limit::None }
}

/// What went wrong, as the table has it.
fn said<T>(result: anyhow::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

/// Runs, or why there are none.
fn samples(runs: anyhow::Result<Vec<f64>>) -> Measured {
    said(runs).and_then(Samples::of)
}

fn note(text: &str) {
    eprintln!("bench: {text}");
}
