//! What a node says of itself: conditions, versions, what it has for pods.

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::condition;
use serde_json::Value;

use crate::segment::one;

#[test]
fn a_node_is_well_and_says_what_it_is() -> Result<()> {
    let kubectl = &one()?.segment.kubectl;
    let node = kubectl.get(&["node", "one"])?;
    let status = &node["status"];
    for (name, wanted) in
        [("Ready", "True"), ("MemoryPressure", "False"), ("DiskPressure", "False"), ("PIDPressure", "False")]
    {
        let found = condition(&node, name);
        ensure!(found.is_some_and(|one| one["status"] == wanted), "{name} is not {wanted}: {}", status["conditions"]);
    }
    let info = &status["nodeInfo"];
    let says = |key: &str, start: &str| {
        let value = info[key].as_str().unwrap_or_default();
        ensure!(value.starts_with(start) && value.len() > start.len(), "{key} is `{value}`");
        Ok(())
    };
    says("osImage", "Orlop")?;
    says("kernelVersion", "6.")?;
    says("containerRuntimeVersion", "containerd://2.")?;
    says("kubeletVersion", "v1.")?;
    for id in ["machineID", "bootID", "systemUUID"] {
        says(id, "")?;
    }
    ensure!(info["operatingSystem"] == "linux" && info["architecture"] == "amd64", "{info}");
    has_room_for_pods(status)?;
    ensure!(node["spec"]["taints"].is_null() && node["spec"]["unschedulable"].is_null(), "{}", node["spec"]);
    let described = kubectl.run(&["describe", "node", "one"])?;
    for part in ["Allocatable:", "Container Runtime Version:", "InternalIP:", "192.0.2.11"] {
        ensure!(described.contains(part), "no {part} in {described}");
    }
    Ok(())
}

/// What is kept back for kubelet, the system and the moment of eviction is not for pods.
fn has_room_for_pods(status: &Value) -> Result<()> {
    let (capacity, allocatable) = (&status["capacity"], &status["allocatable"]);
    ensure!(capacity["cpu"] == "2" && allocatable["pods"] == "110", "{capacity} {allocatable}");
    let kib = |value: &Value| -> Result<u64> {
        let text = value.as_str().context("a quantity")?;
        Ok(text.strip_suffix("Ki").with_context(|| format!("{text} is not in Ki"))?.parse()?)
    };
    let kept = kib(&capacity["memory"])?.checked_sub(kib(&allocatable["memory"])?);
    ensure!(kept.is_some_and(|kept| (100 << 10..1 << 20).contains(&kept)), "{capacity} {allocatable}");
    let millis: u64 = allocatable["cpu"].as_str().and_then(|text| text.strip_suffix('m')).context("cpu")?.parse()?;
    ensure!((1000..2000).contains(&millis), "{allocatable}");
    Ok(())
}
