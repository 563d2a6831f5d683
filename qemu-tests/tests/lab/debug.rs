//! `kubectl debug node`: how somebody looks around on a node that has no shell.

use anyhow::{Context, Result, ensure};
use orlop_machine::within;

use crate::segment::one;

#[test]
fn a_debugging_pod_sees_the_nodes_files_and_processes() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = format!("--image={}", segment.busybox.tag);
    let script = "cat /host/etc/os-release; for p in /proc/[0-9]*/comm; do echo runs=$(cat $p); done";
    let words = ["debug", "node/one", &image, "--profile=sysadmin", "--", "/bin/sh", "-c", script];
    let said = kubectl.run(&words)?;
    let name = said.split_whitespace().find(|word| word.starts_with("node-debugger-one-"));
    let pod = format!("pod/{}", name.context("the pod's name")?);
    kubectl.wait(&pod, "jsonpath={.status.phase}=Succeeded", within(180))?;
    let log = kubectl.run(&["logs", &pod])?;
    for line in ["ID=orlop", "runs=init", "runs=kubelet", "runs=containerd"] {
        ensure!(log.lines().any(|found| found == line), "no `{line}` in {log}");
    }
    kubectl.run(&["delete", &pod, "--wait=false"])?;
    Ok(())
}
