//! Nodes that are stopped in good order: pods get their SIGTERM and their grace, by priority; the cluster knows at once; and
//! the next boot is the same node again.
//!
//! Pods say what happens to them in the kernel's log, and so on the console, whose order is that of the events.

use std::fs::File;
use std::io::Read;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use orlop_machine::feed::Mark;
use orlop_machine::lab::condition;
use orlop_machine::{Running, within};
use serde_json::{Value, json};

use crate::debug::debugger;
use crate::outages::pid;
use crate::segment::{Node, SPARE_DISK, Segment, segment};
use crate::volumes::local;

/// Seconds that the node gives its ordinary pods, of all.
const BUDGET: (u32, u32) = (120, 240);
/// The grace of a pod, in seconds, that would take ten times as long.
const GRACE: u32 = 8;

/// What a pod's shell does at its SIGTERM. It says its last word only when nothing cuts it short. It takes ten seconds: so
/// many that kubelet, which tells the cluster at the same time, is sooner even under emulation.
const ENDS: &str = "say ends; sleep 10; say ended; exit 0";
/// The same of one that does not end by itself.
const LIVES_ON: &str = "say ends; while :; do sleep 1; say lives; done";
/// The same of one that has something to write to the end.
const WRITES: &str = "say ends; printf written-raw >/dev/raw; sleep 10; say ended; exit 0";

#[test]
fn a_node_is_drained_and_powered_off_and_its_pods_have_their_grace() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let node = patient(segment, "ends")?;
    let running = node.join()?;
    let pods = [
        ("drained", "", 100, ENDS),
        ("ordinary", "", 100, ENDS),
        ("critical", "system-node-critical", 100, ENDS),
        ("stubborn", "", GRACE, LIVES_ON),
    ];
    for (name, priority, grace, at_term) in pods {
        let mut pod = pod(segment, name, at_term);
        pod["spec"]["nodeName"] = "ends".into();
        pod["spec"]["priorityClassName"] = priority.into();
        pod["spec"]["terminationGracePeriodSeconds"] = grace.into();
        kubectl.apply(&pod.to_string())?;
    }
    for (name, ..) in pods {
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
    forget(segment, &["pod/ordinary", "pod/critical", "pod/stubborn"])?;
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
    let mut stays = pod(segment, "stays", ENDS);
    stays["spec"]["nodeName"] = "again".into();
    kubectl.apply(&stays.to_string())?;
    running.wait_line("lab-pod stays runs", within(180))?;
    let mark = told(&node, &running, || {
        // As the manual has it.
        debugger(segment, "again", &["--profile=sysadmin", "--", "chroot", "/host", "/sbin/reboot"])?;
        running.wait_line("orlop: shutdown: asked by control socket", within(180))?;
        Ok(())
    })?;
    let steps = [
        "orlop: shutdown: asked by control socket",
        "orlop: pods: inhibitors=1",
        "lab-pod stays ends",
        "lab-pod stays ended",
        "orlop: pods: inhibitors=0",
        "orlop: poweroff phase=pods",
        "orlop: poweroff phase=kubelet",
        "orlop: state: unmounted clean=true",
        "orlop: phase=initramfs",
    ];
    in_order(&running, mark, &steps)?;
    node.ready(&running)?;
    ensure!(identity(kubectl)? == before, "another node: {} was {before}", identity(kubectl)?);
    drain_all(&node, &running)?;
    the_kernel_powers_off(segment, &running)?;
    kubectl.run(&["delete", "node/again"])?;
    Ok(())
}

/// Hyper-V and Xen have the kernel start `/sbin/poweroff`, and QEMU has nothing that would. A dump of memory is handed to
/// a program that is started in the same way: as root without capabilities, in the host's root.
fn the_kernel_powers_off(segment: &Segment, running: &Running) -> Result<()> {
    let crash = "echo '|/sbin/poweroff' >/proc/sys/kernel/core_pattern; sleep 60 & kill -SEGV $!; wait";
    let mark = running.mark();
    debugger(segment, "again", &["--profile=sysadmin", "--", "sh", "-c", crash])?;
    running.wait_line_since(mark, "orlop: shutdown: asked by control socket", within(180))?;
    running.wait_exit(within(180))?;
    Ok(())
}

/// Nobody tells the pods to end but `cri stop-all`, and nobody unmounts their volumes but PID 1.
#[test]
fn a_node_whose_kubelet_is_stopped_ends_its_pods_and_lets_go_of_their_volumes() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    // Less than the minute after which PID 1 kills a silent kubelet: it stays as it is until its turn comes.
    let short = "\n[kubelet]\nshutdown_grace_period_seconds = 10\nshutdown_grace_period_critical_pods_seconds = 5\n";
    let mut node = segment.machine_told("stopped", |config| config.tables = short.into())?;
    node.add_disk(SPARE_DISK)?;
    let running = node.join()?;
    kubectl.apply(&local("stopped", "stopped-raw", &node.last_disk()?, "Block"))?;
    kubectl.apply(&with_volumes(pod(segment, "holds", WRITES), "stopped-raw").to_string())?;
    running.wait_line("lab-pod holds runs", within(240))?;
    let mut stops = pod(segment, "stops", ENDS);
    stops["spec"]["nodeName"] = "stopped".into();
    stops["spec"]["hostPID"] = true.into();
    let stop =
        format!("kill -STOP {} && echo lab-pod stops kubelet >/dev/kmsg; exec sleep 100000", pid(&running, "kubelet")?);
    stops["spec"]["containers"][0]["command"] = json!(["/bin/sh", "-c", stop]);
    kubectl.apply(&stops.to_string())?;
    running.wait_line("lab-pod stops kubelet", within(180))?;

    let mark = running.mark();
    running.power_key()?;
    let steps = [
        "orlop: shutdown: asked by power key",
        "orlop: shutdown: pods not done after ",
        "orlop: shutdown: kubelet not done after ",
        "lab-pod holds ends",
        "lab-pod holds ended",
        "orlop: poweroff phase=containers",
        "orlop: poweroff phase=sync",
        "/volumeDevices/stopped-raw/",
        "orlop: shutdown: mounts that were left, and are unmounted now: ",
        "orlop: state: unmounted clean=true",
    ];
    in_order(&running, mark, &steps)?;
    running.wait_exit(within(60))?;
    let lines = since(&running, mark);
    let wrong = lines.iter().find(|line| line.contains("orlop: shutdown: umount ") || line.contains("is not detached"));
    ensure!(wrong.is_none(), "{wrong:?} of {lines:#?}");
    let mut written = [0; 11];
    File::open(&node.machine.disks.last().context("a disk")?.file)?.read_exact(&mut written)?;
    ensure!(&written == b"written-raw", "{}", written.escape_ascii());
    forget(segment, &["pod/holds", "pod/stops"])?;
    kubectl.run(&["delete", "pvc/stopped-raw", "pv/stopped-raw", "storageclass/stopped-raw", "--wait=false"])?;
    kubectl.run(&["delete", "node/stopped"])?;
    Ok(())
}

/// Pods of a node that is gone.
fn forget(segment: &Segment, pods: &[&str]) -> Result<()> {
    segment.kubectl.run_within(&[&["delete", "--force", "--grace-period=0"], pods].concat(), within(60))?;
    Ok(())
}

/// A machine whose pods have so much time at the end that even under emulation, on a machine that has other work, none is cut
/// short: kubelet counts what it needs itself as theirs.
fn patient(segment: &'static Segment, name: &str) -> Result<Node> {
    let (ordinary, all) = BUDGET;
    let critical = all - ordinary;
    let grace = format!(
        "\n[kubelet]\nshutdown_grace_period_seconds = {all}\n\
         shutdown_grace_period_critical_pods_seconds = {critical}\n"
    );
    segment.machine_told(name, |config| config.tables = grace)
}

/// Evicted by the cluster, a pod has its grace; the others are not touched.
fn drain(node: &Node, running: &Running) -> Result<()> {
    let segment = segment()?;
    let mark = running.mark();
    let words = ["drain", &node.name, "--force", "--ignore-daemonsets", "--pod-selector=app=drained", "--timeout=120s"];
    segment.kubectl.run_within(&words, within(150))?;
    running.wait_line_since(mark, "lab-pod drained ended", within(60))?;
    Ok(())
}

/// As the manual has it, for the whole node: kubectl names the option that is missing, a pod has its grace, and only what a
/// DaemonSet keeps there is left.
fn drain_all(node: &Node, running: &Running) -> Result<()> {
    let (segment, kubectl) = (node.segment, &node.segment.kubectl);
    let mut keeps = pod(segment, "keeps", ENDS);
    let spec = &mut keeps["spec"];
    spec["nodeName"] = node.name.as_str().into();
    spec["containers"][0]["volumeMounts"] = json!([{"name": "disk", "mountPath": "/disk"}]);
    spec["volumes"] = json!([{"name": "disk", "emptyDir": {}}]);
    kubectl.apply(&keeps.to_string())?;
    running.wait_line("lab-pod keeps runs", within(180))?;

    let mark = running.mark();
    let words = ["drain", &node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s"];
    for missing in ["--delete-emptydir-data", "--force"] {
        let fewer: Vec<&str> = words.iter().copied().take_while(|word| *word != missing).collect();
        let refused = kubectl.run(&fewer).err().with_context(|| format!("a drain without {missing}"))?.to_string();
        ensure!(refused.contains(&format!("(use {missing} to override)")), "{refused}");
    }
    let ends = since(running, mark).into_iter().find(|line| line.contains("lab-pod keeps ends"));
    ensure!(ends.is_none(), "a drain that was refused ended it: {ends:?}");
    kubectl.run_within(&words, within(150))?;
    in_order(running, mark, &["lab-pod keeps ends", "lab-pod keeps ended"])?;
    let found = kubectl.get(&["node", &node.name])?;
    ensure!(found["spec"]["unschedulable"] == true, "{}", found["spec"]);
    let left = kubectl.get(&["pods", &format!("--field-selector=spec.nodeName={}", node.name)])?;
    ensure!(left["items"].as_array().is_some_and(Vec::is_empty), "{left}");
    Ok(())
}

/// Does what ends the node, and waits until kubelet has told the cluster so, before a pod has ended. The mark is from before.
fn told(node: &Node, running: &Running, end: impl FnOnce() -> Result<()>) -> Result<Mark> {
    // It is there before the end is asked for: the node's word must not wait for a client that starts.
    let watch = node.segment.kubectl.watch(&["nodes", &format!("--field-selector=metadata.name={}", node.name)])?;
    watch.next(Instant::now() + within(60)).context("the node as it was")?;
    let mark = running.mark();
    end()?;
    let deadline = Instant::now() + within(60);
    let told = std::iter::from_fn(|| watch.next(deadline)).find_map(|seen| {
        let ready = condition(&seen.object, "Ready")?;
        (ready["status"] == "False").then(|| ready.clone())
    });
    let lines = since(running, mark);
    let told = told.with_context(|| format!("the cluster does not know that it ends: {lines:#?}"))?;
    let ended = lines.iter().find(|line| line.contains("lab-pod ") && line.contains(" ended"));
    ensure!(ended.is_none(), "a pod ended first: {lines:#?}");
    ensure!(told["message"].as_str().is_some_and(|why| why.contains("node is shutting down")), "{told}");
    Ok(mark)
}

/// The power key: kubelet tells the cluster and ends its pods, the critical one last; then the rest.
fn powered_off(node: &Node, running: &Running) -> Result<()> {
    let mark = told(node, running, || Ok(running.power_key()?))?;
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
    in_order(running, mark, &steps)?;
    running.wait_exit(within(60))?;
    let lines = since(running, mark);
    killed_in_time(&lines)?;
    ensure!(!lines.iter().any(|line| line.contains(" not done after ")), "a step was late: {lines:#?}");
    Ok(())
}

fn since(running: &Running, mark: Mark) -> Vec<String> {
    running.feed().collect(mark, |happening| happening.console().map(str::to_owned))
}

/// Waits for all of these lines, and for them to have come one after the other.
fn in_order(running: &Running, mark: Mark, steps: &[&str]) -> Result<()> {
    for step in steps {
        running.wait_line_since(mark, step, within(180))?;
    }
    let lines = since(running, mark);
    let places: Vec<_> = steps.iter().map(|step| lines.iter().position(|line| line.contains(step))).collect();
    ensure!(places.is_sorted(), "not in order: {places:?} of {steps:?}: {lines:#?}");
    Ok(())
}

/// The pod that hears no SIGTERM had its own grace, and not the time that the node gives all ordinary pods; nor did the
/// critical ones wait for that. By the machine's own clock.
fn killed_in_time(lines: &[String]) -> Result<()> {
    let asked = *times(lines, "stubborn ends").first().context("its SIGTERM")?;
    let lived = times(lines, "stubborn lives").last().context("no sign of life")? - asked;
    let grace = f64::from(GRACE);
    ensure!((grace / 2.0..4.0 * grace).contains(&lived), "killed after {lived} s, and its grace is {GRACE} s");
    let waited = times(lines, "critical ends").first().context("the critical pod's SIGTERM")? - asked;
    ensure!(waited < f64::from(BUDGET.0), "the critical pod was asked {waited} s later");
    Ok(())
}

/// When a pod said this, in seconds since the machine's start. What another line has cut in two does not count.
fn times(lines: &[String], what: &str) -> Vec<f64> {
    let marker = format!("lab-pod {what} ");
    let said = lines.iter().filter_map(|line| line.split_once(&marker)?.1.split_whitespace().next());
    said.filter_map(|time| time.parse().ok()).collect()
}

/// A pod that says what happens to it, and does this when it is asked to end. Privileged, as the kernel's log is no device of
/// a pod's.
fn pod(segment: &Segment, name: &str, at_term: &str) -> Value {
    let script = format!(
        "say() {{ read -r now idle </proc/uptime; echo \"lab-pod {name} $1 $now\" >/dev/kmsg; }}\n\
         trap '{at_term}' TERM\n\
         say runs\n\
         while :; do sleep 1; done\n"
    );
    let container = json!({
        "name": "it",
        "image": segment.busybox.digest,
        "securityContext": {"privileged": true},
        "command": ["/bin/sh", "-c", script],
    });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 100, "containers": [container]},
    })
}

/// The pod with the raw volume of this claim, which keeps a loop device and a mount busy, and a folder of another one, which is
/// one more mount. Whoever binds the claim chooses the pod's node.
fn with_volumes(mut pod: Value, claim: &str) -> Value {
    let spec = &mut pod["spec"];
    spec["containers"][0]["volumeDevices"] = json!([{"name": "raw", "devicePath": "/dev/raw"}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "disk", "mountPath": "/inner", "subPath": "inner"}]);
    let raw = json!({"name": "raw", "persistentVolumeClaim": {"claimName": claim}});
    spec["volumes"] = json!([raw, {"name": "disk", "emptyDir": {}}]);
    pod
}
