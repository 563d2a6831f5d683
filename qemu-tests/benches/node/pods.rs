//! From a pod's creation to its running, as a watcher sees both. Its image is on the node.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result};
use orlop_machine::lab::Watch;
use orlop_machine::within;
use serde_json::{Value, json};

use crate::node::Measurable;
use crate::row::{Measured, Row, Samples};
use crate::{said, seconds};

/// How many pods.
const PODS: usize = 30;
/// Seconds until all of them run.
const LIMIT: u64 = 900;

/// One after the other, and all at once.
pub fn measure(node: &Measurable, rows: &mut Vec<Row>) {
    let row = |rows: &mut Vec<Row>, what, times: &Result<Vec<f64>, String>, part| {
        rows.push(seconds(what, percentile(times, part), None));
    };
    let times = said(one_by_one(node));
    row(rows, "pod created → running, 30 one after another, p50", &times, 50);
    row(rows, "the same, p99 (the slowest)", &times, 99);
    let times = said(at_once(node));
    row(rows, "pod created → running, 30 at once, p50", &times, 50);
    row(rows, "the same, p99 (the slowest)", &times, 99);
}

/// The least time that this part of all times, in hundredths, does not exceed.
fn percentile(times: &Result<Vec<f64>, String>, part: usize) -> Measured {
    let mut times = times.clone()?;
    times.sort_by(f64::total_cmp);
    let index = (times.len() * part).div_ceil(100).saturating_sub(1);
    times.get(index).map_or(Err("no pod".into()), |time| Samples::exact(*time))
}

fn one_by_one(node: &Measurable) -> Result<Vec<f64>> {
    let mut seen = Seen::start(node, "single")?;
    for number in 0..PODS {
        node.kubectl().feed(&["create", "-f", "-"], &pod(node, "single", number).to_string())?;
        seen.until_running(number + 1)?;
    }
    seen.end(node, "single")
}

fn at_once(node: &Measurable) -> Result<Vec<f64>> {
    let mut seen = Seen::start(node, "burst")?;
    let items: Vec<Value> = (0..PODS).map(|number| pod(node, "burst", number)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    node.kubectl().feed(&["create", "-f", "-"], &list.to_string())?;
    seen.until_running(PODS)?;
    seen.end(node, "burst")
}

fn pod(node: &Measurable, set: &str, number: usize) -> Value {
    let image = &node.segment.busybox.digest;
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("{set}-{number}"), "labels": {"bench": set}},
        "spec": {
            "nodeName": node.name,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "it", "image": image, "command": ["/bin/sleep", "1000000"]}],
        },
    })
}

/// When each pod was seen first, and when running.
struct Seen {
    watch: Watch,
    created: BTreeMap<String, Instant>,
    running: BTreeMap<String, Instant>,
}

impl Seen {
    fn start(node: &Measurable, set: &str) -> Result<Seen> {
        let watch = node.kubectl().watch(&["pods", &format!("--selector=bench={set}")])?;
        Ok(Seen { watch, created: BTreeMap::new(), running: BTreeMap::new() })
    }

    /// Waits until so many run.
    fn until_running(&mut self, pods: usize) -> Result<()> {
        let deadline = Instant::now() + within(LIMIT);
        while self.running.len() < pods {
            let missing = || format!("{} of {pods} pods run", self.running.len());
            let seen = self.watch.next(deadline).with_context(missing)?;
            let name = seen.object["metadata"]["name"].as_str().context("a name")?.to_owned();
            self.created.entry(name.clone()).or_insert(seen.at);
            if seen.object["status"]["phase"] == "Running" {
                self.running.entry(name).or_insert(seen.at);
            }
        }
        Ok(())
    }

    /// The times in seconds; the pods are taken away.
    fn end(&self, node: &Measurable, set: &str) -> Result<Vec<f64>> {
        let selector = format!("--selector=bench={set}");
        node.kubectl().run_within(&["delete", "pods", &selector], within(LIMIT))?;
        let both = self.running.iter().filter_map(|(name, at)| Some((at, self.created.get(name)?)));
        Ok(both.map(|(running, created)| running.duration_since(*created).as_secs_f64()).collect())
    }
}
