//! As many pods as a node takes.

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use orlop_machine::within;

use crate::segment::alone;

/// kubelet's default, and what the node calls allocatable.
const PODS: usize = 110;
/// How many are asked for at once. kubelet starts all that it is told of side by side: 110 of them on emulated processors
/// each take longer than the two minutes that it gives containerd for a request, and are begun anew without end.
const STEP: usize = 10;
/// Seconds until so many run, on two slow processors that others share: what a hundred pods cost that do nothing leaves
/// little for the last ten.
const LIMIT: u64 = 1200;

#[test]
fn a_node_runs_110_pods_and_stays_well() -> Result<()> {
    let segment = alone("many-pods")?;
    let kubectl = &segment.kubectl;
    let mut node = segment.machine("many")?;
    (node.machine.memory_mib, node.machine.cpus) = (4096, 2);
    let running = node.join()?;
    segment.approver.approved("many", within(60))?;
    let image = &segment.busybox.digest;
    kubectl.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: crowd}}
spec:
  progressDeadlineSeconds: {LIMIT}
  selector: {{matchLabels: {{app: crowd}}}}
  template:
    metadata: {{labels: {{app: crowd}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: it, image: {image}, command: [/bin/sleep, "1000000"]}}]
"#
    ))?;
    let rolled = || kubectl.run_within(&["rollout", "status", "deployment/crowd"], within(LIMIT));
    rolled()?;
    let here = || -> Result<usize> {
        let all = kubectl.get(&["pods", "--all-namespaces", "--field-selector=spec.nodeName=many"])?;
        Ok(all["items"].as_array().context("pods")?.len())
    };
    let available = || -> Result<u64> {
        let text = kubectl.run(&["exec", "deployment/crowd", "--", "cat", "/proc/meminfo"])?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("MemAvailable")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let (few, memory) = (here()?, available()?);
    let began = Instant::now();
    let replicas = PODS - few + 1;
    for wanted in (STEP..replicas).step_by(STEP).chain([replicas]) {
        kubectl.run(&["scale", "deployment/crowd", &format!("--replicas={wanted}")])?;
        rolled().with_context(|| format!("{wanted} of {replicas} pods"))?;
    }
    let took = began.elapsed();
    let each = memory.saturating_sub(available()?) / (PODS - few) as u64;
    ensure!(here()? == PODS, "{} pods", here()?);
    let conditions = kubectl.get(&["node", "many"])?["status"]["conditions"].clone();
    let well = |one: &serde_json::Value| (one["status"] == "True") == (one["type"] == "Ready");
    ensure!(conditions.as_array().context("conditions")?.iter().all(well), "{conditions}");

    let line = format!(
        "{} more pods: running after {:.0} s; {each} KiB of the node's memory each",
        PODS - few,
        took.as_secs_f32()
    );
    // The numbers are told, whether or not the harness shows what tests print.
    writeln!(std::io::stderr(), "{line}")?;
    // That many ends at once are half an hour of two emulated processors, and pods' ends are shown by `shutdown`.
    running.cut_power();
    Ok(())
}
