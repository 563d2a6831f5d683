//! An image of 100 MB that cannot be compressed, pulled from the lab's registry; beside it the same bytes over the same
//! network, and onto the same disk.

use anyhow::{Context, Result};
use orlop_machine::lab::{LayerFile, cni};
use orlop_machine::within;

use crate::node::Measurable;
use crate::row::Row;
use crate::stream::{self, BYTES};
use crate::{samples, seconds};

/// Runs of each, in turns.
const RUNS: usize = 3;

/// Pulls, streams, writes.
pub fn measure(node: &Measurable, rows: &mut Vec<Row>) {
    let all = (0..RUNS).map(|run| Ok([pull(node, run)?, stream::seconds(node)?, write(node)?]));
    let all = all.collect::<Result<Vec<_>>>().map_err(|error| format!("{error:#}"));
    let column = |index: usize| {
        samples(all.clone().map_err(anyhow::Error::msg).map(|all| all.iter().map(|one| one[index]).collect()))
    };
    let network = Some(("the same bytes into a pod by TCP", column(1)));
    rows.push(seconds("image of 100 MB pulled and unpacked", column(0), network));
    let disk = Some(("the same bytes written and synced", column(2)));
    rows.push(seconds("the same, beside the disk", column(0), disk));
}

/// Seconds that kubelet says a pull took: fetched, verified, unpacked.
fn pull(node: &Measurable, run: usize) -> Result<f64> {
    let segment = node.segment;
    let mut image = cni::busybox(&segment.lab)?;
    image.files.push(LayerFile::File("/random".into(), 0o644, random(run as u64 + 1)));
    let pushed = segment.registry.push(&segment.lab, &format!("large:{run}"), &image)?;
    let (name, kubectl) = (format!("pulls-{run}"), node.kubectl());
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: {}, restartPolicy: Never, \
         containers: [{{name: it, image: \"{}\", command: [/bin/true]}}]}}}}",
        node.name, pushed.digest
    ))?;
    kubectl.wait(&format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", within(600))?;
    let selector = format!("--field-selector=reason=Pulled,involvedObject.name={name}");
    let events = kubectl.get(&["events", &selector])?;
    let message = events["items"][0]["message"].as_str().context("an event of the pull")?;
    kubectl.run(&["delete", "pod", &name])?;
    let took = message.split_once(" in ").and_then(|(_, rest)| go_seconds(rest.split(' ').next()?));
    took.with_context(|| format!("no time in `{message}`"))
}

/// Seconds until as many bytes are on the state partition's disk, by the node's clock.
fn write(node: &Measurable) -> Result<f64> {
    let mib = BYTES.div_ceil(1 << 20);
    let write = format!("dd if=/dev/zero of=/disk/written bs=1M count={mib} conv=fsync 2>/dev/null");
    let script = format!("read -r a x </proc/uptime; {write}; read -r b x </proc/uptime; rm /disk/written; echo $a $b");
    let said = node.look(&script)?;
    let times: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>().context(said.clone())?;
    let [start, end] = times[..] else { anyhow::bail!("no times in `{said}`") };
    Ok(end - start)
}

/// Bytes without a pattern, others for each seed (xorshift).
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(BYTES + 8);
    while bytes.len() < BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(BYTES);
    bytes
}

/// A duration as Go writes it: `1m2.5s`, `850ms`.
fn go_seconds(text: &str) -> Option<f64> {
    if let Some(number) = text.strip_suffix("ms") {
        return Some(number.parse::<f64>().ok()? / 1000.0);
    }
    let text = text.strip_suffix('s')?;
    match text.split_once('m') {
        Some((minutes, rest)) => Some(minutes.parse::<f64>().ok()? * 60.0 + rest.parse::<f64>().ok()?),
        None => text.parse().ok(),
    }
}
