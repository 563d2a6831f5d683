//! From power on to a node that the cluster calls Ready: a machine that was never here before, no firmware.

use std::time::Instant;

use anyhow::{Context, Result};
use orlop_machine::lab::condition;
use orlop_machine::{Event, Running, within};
use serde_json::Value;

use crate::row::{Row, Samples};
use crate::segment::{Node, Segment};
use crate::{note, seconds};

/// How many machines.
const BOOTS: u8 = 3;
/// How long one may take, on a slow and busy machine.
const LIMIT: u64 = 600;

/// Moments of one boot, in seconds since power on.
struct Boot {
    healthy: f64,
    registered: f64,
    ready: f64,
}

/// Boots them one after the other; the last one stays.
pub fn measure(segment: &'static Segment, rows: &mut Vec<Row>) -> Result<(Node, Running)> {
    let mut boots = Vec::new();
    let mut last = None;
    for number in 1..=BOOTS {
        drop(last.take());
        note(&format!("boot {number} of {BOOTS}"));
        let node = segment.machine(&format!("bench-{number}"))?;
        let (boot, running) = boot(&node)?;
        boots.push(boot);
        // A machine goes before the files of its node.
        last = Some((running, node));
    }
    let mut row = |what, pick: fn(&Boot) -> f64| {
        rows.push(seconds(what, Samples::of(boots.iter().map(pick).collect()), None));
    };
    row("power on → kubelet healthy", |boot| boot.healthy);
    row("power on → node registered", |boot| boot.registered);
    row("power on → node Ready", |boot| boot.ready);
    let (running, node) = last.context("a boot")?;
    Ok((node, running))
}

fn boot(node: &Node) -> Result<(Boot, Running)> {
    let selector = format!("--field-selector=metadata.name={}", node.name);
    let watch = node.segment.kubectl.watch(&["nodes", &selector])?;
    let power = Instant::now();
    let running = node.machine.start()?;
    running.wait_event("healthy kubelet", within(LIMIT), |event| matches!(event, Event::Healthy { .. }))?;
    let healthy = power.elapsed().as_secs_f64();
    let since = |moment: Instant| moment.duration_since(power).as_secs_f64();
    let mut registered = None;
    let ready = loop {
        let seen = watch.next(power + within(LIMIT)).with_context(|| format!("{} is not Ready", node.name))?;
        registered.get_or_insert(since(seen.at));
        if is_ready(&seen.object) {
            break since(seen.at);
        }
    };
    node.ready(&running)?;
    let registered = registered.context("the node's object")?;
    Ok((Boot { healthy, registered, ready }, running))
}

fn is_ready(node: &Value) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready["status"] == "True")
}
