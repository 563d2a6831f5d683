//! `kubectl debug node`: how somebody looks around on a node that has no shell.

use anyhow::{Context, Result, ensure};
use orlop_machine::within;
use serde_json::Value;

use crate::segment::{Segment, one};

/// What the manual (docs/operate.md) says is below `/host`.
const SCRIPT: &str = "cat /host/etc/os-release /host/run/orlop/boot.json; echo; \
    test -S /host/run/orlop/control && echo control=socket; \
    for p in /proc/[0-9]*/comm; do echo runs=$(cat $p); done";

/// Status of the two programs of ours that listen to others, each line behind the program's name.
const STATUS: &str = "for p in /proc/[0-9]*; do read -r name <$p/comm || continue; \
    case $name in net|logind) while read -r line; do echo \"$name $line\"; done <$p/status;; esac; done";

/// What they say in their logs where the kernel has no Landlock.
const NO_LANDLOCK: &str = "this kernel has no Landlock, or not all of it";

/// Both: the name, the numbers of the capabilities that are kept (capabilities(7)), and the source that has [`NO_LANDLOCK`].
const CLOSED: [(&str, &[u32], &str); 2] = [
    // CAP_NET_ADMIN, CAP_SYS_TIME.
    ("net", &[12, 25], include_str!("../../../node/net/src/sandbox/mod.rs")),
    ("logind", &[], include_str!("../../../node/logind/src/sandbox/mod.rs")),
];

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

#[test]
fn the_networks_program_and_logind_have_given_up_what_they_do_not_need() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let pod = debugger(segment, "one", &["--profile=sysadmin", "--", "/bin/sh", "-c", STATUS])?;
    kubectl.wait(&pod, "jsonpath={.status.phase}=Succeeded", within(180))?;
    let status = kubectl.run(&["logs", &pod])?;
    for (name, kept, source) in CLOSED {
        let lines = |start: &str| status.lines().filter(|line| line.starts_with(start)).count();
        ensure!(lines(&format!("{name} Pid:")) == 1, "{name} does not run once: {status}");
        let kept = format!("{:016x}", kept.iter().fold(0u64, |mask, number| mask | 1 << number));
        let none = format!("{:016x}", 0u64);
        let (kept, none) = (kept.as_str(), none.as_str());
        for (field, value) in [
            ("CapInh", none),
            ("CapPrm", kept),
            ("CapEff", kept),
            ("CapBnd", kept),
            ("CapAmb", none),
            ("NoNewPrivs", "1"),
            // A filter.
            ("Seccomp", "2"),
        ] {
            let line = format!("{name} {field}:\t{value}");
            ensure!(status.lines().any(|found| found == line), "no `{line}` in {status}");
        }
        // No status tells of Landlock.
        ensure!(source.contains(NO_LANDLOCK), "{name} says it in other words now");
        let log = kubectl.run(&["get", "--raw", &format!("/api/v1/nodes/one/proxy/logs/{name}.log")])?;
        ensure!(!log.contains(NO_LANDLOCK), "{log}");
        ensure!(name != "net" || log.contains("net: clock: "), "it is not net's log: {log}");
    }
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
