//! What kubelet measures of the node and its pods.

use anyhow::{Context, Result, ensure};
use orlop_machine::within;
use serde_json::Value;

use crate::segment::one;

/// A pod that every node of the lab has, by the start of its name.
const POD: &str = "lab-cni-";

#[test]
fn the_node_and_a_pod_are_measured() -> Result<()> {
    let kubectl = &one()?.segment.kubectl;
    let get = |path: &str| kubectl.run(&["get", "--raw", &format!("/api/v1/nodes/one/proxy/{path}")]);
    let pod = format!("pod=\"{POD}");
    // A container is measured every ten seconds or so.
    let metrics = kubectl.until("metrics of the pod", within(120), |_| {
        let text = get("metrics/resource")?;
        Ok(value_of(&text, "pod_cpu_usage_seconds_total", &pod).map(|_| text))
    })?;
    for (name, labels) in [
        ("node_memory_working_set_bytes", ""),
        ("node_cpu_usage_seconds_total", ""),
        ("container_memory_working_set_bytes", pod.as_str()),
        ("pod_memory_working_set_bytes", pod.as_str()),
        ("pod_cpu_usage_seconds_total", pod.as_str()),
    ] {
        let value = value_of(&metrics, name, labels).with_context(|| format!("{name} in {metrics}"))?;
        ensure!(value > 0.0, "{name} is {value}");
    }
    summary_has_numbers(&serde_json::from_str(&get("stats/summary")?)?)?;
    ensure!(get("metrics/cadvisor")?.contains("container_cpu_usage_seconds_total{"), "cAdvisor's");
    ensure!(get("metrics")?.contains("kubelet_running_pods "), "kubelet's own");
    Ok(())
}

fn summary_has_numbers(summary: &Value) -> Result<()> {
    for value in [
        "/memory/workingSetBytes",
        "/memory/availableBytes",
        "/fs/capacityBytes",
        "/fs/availableBytes",
        "/runtime/imageFs/usedBytes",
        "/rlimit/maxpid",
    ] {
        ensure!(summary["node"].pointer(value).and_then(Value::as_u64) > Some(0), "{value} in {}", summary["node"]);
    }
    let pods = summary["pods"].as_array().context("pods")?;
    let named = |pod: &&Value| pod["podRef"]["name"].as_str().is_some_and(|name| name.starts_with(POD));
    let pod = pods.iter().find(named).context("the pod")?;
    ensure!(pod["memory"]["workingSetBytes"].as_u64() > Some(0), "{pod}");
    Ok(())
}

/// The value of the first sample of this name whose labels have this.
fn value_of(text: &str, name: &str, labels: &str) -> Option<f64> {
    let samples = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut ours = samples.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels));
    let rest = ours.next()?;
    rest.rsplit_once('}').map_or(rest, |(_, values)| values).split_whitespace().next()?.parse().ok()
}
