//! `kubectl debug node`: how somebody looks around on a node that has no shell.

use anyhow::{Context, Result, ensure};
use orlop_machine::within;
use serde_json::Value;

use crate::segment::{Segment, one};

/// What the manual (docs/operate.md) says is below `/host`.
const SCRIPT: &str = "cat /host/etc/os-release /host/run/orlop/boot.json; echo; \
    test -S /host/run/orlop/control && echo control=socket; \
    for p in /proc/[0-9]*/comm; do echo runs=$(cat $p); done";

#[test]
fn a_debugging_pod_sees_the_nodes_files_and_processes() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let pod = debugger(segment, "one", &["--profile=sysadmin", "--", "/bin/sh", "-c", SCRIPT])?;
    kubectl.wait(&pod, "jsonpath={.status.phase}=Succeeded", within(180))?;
    let log = kubectl.run(&["logs", &pod])?;
    for line in ["ID=orlop", "control=socket", "runs=init", "runs=kubelet", "runs=containerd"] {
        ensure!(log.lines().any(|found| found == line), "no `{line}` in {log}");
    }
    let report = log.lines().find(|line| line.starts_with('{')).with_context(|| format!("no boot report in {log}"))?;
    let report: Value = serde_json::from_str(report)?;
    let mut phases = report["phases"].as_array().into_iter().flatten();
    ensure!(report["image"] == "cluster" && phases.any(|phase| phase["name"] == "kubelet"), "{report}");
    kubectl.run(&["delete", &pod, "--wait=false"])?;
    Ok(())
}

/// A pod of `kubectl debug node`; `words` are options, `--`, and what it runs. Its name.
pub fn debugger(segment: &Segment, node: &str, words: &[&str]) -> Result<String> {
    let (node, image) = (format!("node/{node}"), format!("--image={}", segment.busybox.tag));
    let start = ["debug", node.as_str(), image.as_str()];
    let said = segment.kubectl.run(&[&start[..], words].concat())?;
    let name = said.split_whitespace().find(|word| word.starts_with("node-debugger-"));
    Ok(format!("pod/{}", name.with_context(|| format!("no pod's name in {said}"))?))
}
