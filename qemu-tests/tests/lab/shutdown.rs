//! Nodes that are stopped in good order: pods get their SIGTERM and their grace, by priority; the cluster knows at once; and
//! the next boot is the same node again.
//!
//! Pods say what happens to them in the kernel's log, and so on the console, whose order is that of the events.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::lab::condition;
use orlop_machine::{Running, within};

use crate::segment::{Node, Segment, segment};

/// Seconds that each pod takes for its end: so many that kubelet, which tells the cluster at the same time, is sooner even under
/// emulation.
const END: u64 = 10;

#[test]
fn a_node_is_drained_and_powered_off_and_its_pods_have_their_grace() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let node = patient(segment, "ends")?;
    let running = node.join()?;
    for (name, priority) in [("drained", ""), ("ordinary", ""), ("critical", "system-node-critical")] {
        kubectl.apply(&pod(segment, name, "ends", priority))?;
    }
    for name in ["drained", "ordinary", "critical"] {
        running.wait_line(&format!("lab-pod {name} runs"), within(180))?;
    }
    drain(&node, &running)?;
    powered_off(&node, &running)?;
    for name in ["ordinary", "critical"] {
        let pod = kubectl.get(&["pod", name])?;
        let status = &pod["status"];
        // What kubelet's shutdown manager calls a pod that it ended.
        let wanted = status["phase"] == "Failed" && status["reason"] == "Terminated";
        ensure!(wanted || status["phase"] == "Succeeded", "{name}: {status}");
    }
    kubectl.run_within(&["delete", "pod/ordinary", "pod/critical", "--force", "--grace-period=0"], within(60))?;
    kubectl.run(&["delete", "node/ends"])?;
    Ok(())
}

#[test]
fn a_node_that_is_rebooted_comes_back_as_the_same_node() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let mut node = patient(segment, "again")?;
    // The same machine goes on after a reset.
    node.machine.end_on_reset = false;
    let running = node.join()?;
    let identity = |kubectl: &orlop_machine::lab::Kubectl| -> Result<String> {
        let found = kubectl.get(&["node", "again"])?;
        Ok(format!("{} {}", found["metadata"]["uid"], found["status"]["nodeInfo"]["machineID"]))
    };
    let before = identity(kubectl)?;
    kubectl.apply(&pod(segment, "stays", "again", ""))?;
    running.wait_line("lab-pod stays runs", within(180))?;
    let keys = ["ctrl", "alt", "delete"].map(|key| serde_json::json!({ "type": "qcode", "data": key }));
    let mark = running.mark();
    running.qmp("send-key", serde_json::json!({ "keys": keys }))?;
    for line in ["shutdown: asked by ctrl-alt-del", "lab-pod stays ended", "state: unmounted clean=true"] {
        running.wait_line_since(mark, line, within(120))?;
    }
    kubectl.wait("node/again", "condition=Ready=false", within(60))?;
    running.wait_line_since(mark, "orlop: phase=initramfs", within(120))?;
    node.ready(&running)?;
    ensure!(identity(kubectl)? == before, "another node: {} was {before}", identity(kubectl)?);
    running.power_off(within(180))?;
    kubectl.run_within(&["delete", "pod/stays", "--force", "--grace-period=0"], within(60))?;
    kubectl.run(&["delete", "node/again"])?;
    Ok(())
}

/// A machine whose pods have so much time at the end that even under emulation, on a machine that has other work, none is cut
/// short: kubelet counts what it needs itself as theirs.
fn patient(segment: &'static Segment, name: &str) -> Result<Node> {
    let grace = "\n[kubelet]\nshutdown_grace_period_seconds = 240\n\
                 shutdown_grace_period_critical_pods_seconds = 120\n";
    segment.machine_told(name, |config| config.tables = grace.into())
}

/// Evicted by the cluster, a pod has its grace; the others are not touched.
fn drain(node: &Node, running: &Running) -> Result<()> {
    let segment = segment()?;
    let mark = running.mark();
    let words = ["drain", &node.name, "--force", "--ignore-daemonsets", "--pod-selector=app=drained", "--timeout=120s"];
    segment.kubectl.run_within(&words, within(150))?;
    running.wait_line_since(mark, "lab-pod drained ended", within(60))?;
    ensure!(took(running, mark, "drained")? >= END, "it had less than its grace");
    Ok(())
}

/// The power key: kubelet tells the cluster and ends its pods, the critical one last; then the rest.
fn powered_off(node: &Node, running: &Running) -> Result<()> {
    let segment = segment()?;
    // It is there before the key is pressed: the node's word must not wait for a client that starts.
    let watch = segment.kubectl.watch(&["nodes", &format!("--field-selector=metadata.name={}", node.name)])?;
    watch.next(Instant::now() + within(60)).context("the node as it was")?;
    let mark = running.mark();
    running.power_key()?;
    let deadline = Instant::now() + within(60);
    let told = std::iter::from_fn(|| watch.next(deadline)).find_map(|seen| {
        let ready = condition(&seen.object, "Ready")?;
        (ready["status"] == "False").then(|| ready.clone())
    });
    let lines = since(running, mark);
    let told = told.with_context(|| format!("the cluster does not know that it ends: {lines:#?}"))?;
    // It says so before its pods have ended.
    ensure!(!lines.iter().any(|line| line.contains("lab-pod ordinary ended")), "a pod ended first: {lines:#?}");
    ensure!(told["message"].as_str().is_some_and(|why| why.contains("node is shutting down")), "{told}");
    let steps = [
        "orlop: shutdown: asked by power key",
        "orlop: pods: inhibitors=1",
        "lab-pod ordinary ends",
        "lab-pod ordinary ended",
        "lab-pod critical ends",
        "lab-pod critical ended",
        "orlop: pods: inhibitors=0",
        "orlop: poweroff phase=pods",
        "orlop: poweroff phase=kubelet",
        "orlop: state: unmounted clean=true",
    ];
    for step in steps {
        running.wait_line_since(mark, step, within(180))?;
    }
    running.wait_exit(within(60))?;
    let lines = since(running, mark);
    let places: Vec<_> = steps.iter().map(|step| lines.iter().position(|line| line.contains(step))).collect();
    ensure!(places.is_sorted(), "not in order: {places:?} of {steps:?}: {lines:#?}");
    for pod in ["ordinary", "critical"] {
        ensure!(took(running, mark, pod)? >= END, "{pod} had less than its grace");
    }
    ensure!(!lines.iter().any(|line| line.contains(" not done after ")), "a step was late: {lines:#?}");
    Ok(())
}

fn since(running: &Running, mark: Mark) -> Vec<String> {
    running.feed().collect(mark, |happening| happening.console().map(str::to_owned))
}

/// Seconds from a pod's SIGTERM to its own end, by its own clock.
fn took(running: &Running, mark: Mark, pod: &str) -> Result<u64> {
    let lines = since(running, mark);
    let at = |what: &str| -> Result<f64> {
        let marker = format!("lab-pod {pod} {what} ");
        let time = lines.iter().find_map(|line| line.split_once(&marker)?.1.split_whitespace().next());
        time.with_context(|| format!("no `{marker}`"))?.parse().context("a time")
    };
    Ok((at("ended")? - at("ends")?).round() as u64)
}

/// A pod that takes its time when it is asked to end. Privileged, as the kernel's log is no device of a pod's.
fn pod(segment: &Segment, name: &str, node: &str, priority: &str) -> String {
    let image = &segment.busybox.digest;
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  nodeName: {node}
  priorityClassName: "{priority}"
  restartPolicy: Never
  terminationGracePeriodSeconds: 100
  containers:
  - name: it
    image: {image}
    securityContext: {{privileged: true}}
    command:
    - /bin/sh
    - -c
    - |
      say() {{ read -r now idle </proc/uptime; echo "lab-pod {name} $1 $now" >/dev/kmsg; }}
      trap 'say ends; sleep {END}; say ended; exit 0' TERM
      say runs
      while :; do sleep 1; done
"#
    )
}
