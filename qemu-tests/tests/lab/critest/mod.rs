//! critest, the CRI's own test suite, against a node's containerd.
//!
//! It wants the runtime for itself: kubelet would clear away what it does not know. So the pod that runs it sends kubelet to a
//! socket where nobody is, for as long as it runs: kubelet ends at once, each time that PID 1 starts it. Pods go on.

mod images;
mod outcome;
mod specs;

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::LayerFile;
use orlop_machine::within;
use serde_json::{Value, json};

use crate::segment::{Segment, mirror, segment};
use outcome::Outcome;
use specs::{BENCHMARKS, LEFT_OUT, SKIPPED};

/// The node, and the pod.
const NODE: &str = "critest";
/// Seconds until it has run, under emulation.
const LIMIT: u64 = 3600;
/// What the pod does. kubelet's door is put back whatever critest says.
const SCRIPT: &str = r#"
door() { ln -s "$1" /run/orlop/cri.critest && mv /run/orlop/cri.critest /run/orlop/cri.sock; }
door /run/orlop/nobody.sock
for process in /proc/[0-9]*; do
  read -r name <$process/comm && [ "$name" = kubelet ] && kill ${process#/proc/}
done
export TMPDIR=/var/lib/critest
mkdir -p $TMPDIR
critest -runtime-endpoint unix:///run/containerd/containerd.sock \
  -ginkgo.no-color -ginkgo.v -ginkgo.seed 1 -ginkgo.skip "$1"
echo "critest status=$?"
door /run/containerd/containerd.sock
exec sleep 100000
"#;

/// All of it that this node can be asked for.
#[test]
fn critest_passes_but_for_what_is_listed() -> Result<()> {
    let outcome = run()?;
    ensure!(outcome.failed.is_empty(), "failed: {:#?}", outcome.failed);
    for spec in &outcome.skipped {
        ensure!(SKIPPED.iter().any(|(start, ..)| spec.starts_with(start)), "skipped, and nobody knows why: {spec}");
    }
    for (start, count, _) in SKIPPED {
        let found = outcome.skipped.iter().filter(|spec| spec.starts_with(start)).count();
        ensure!(found == *count, "{found} of `{start}` are skipped, not {count}: the list is old");
    }
    let left_out: usize = LEFT_OUT.iter().map(|(_, count, _)| count).sum();
    let (skipped, others) = (outcome.skipped.len(), left_out + BENCHMARKS.1);
    ensure!(outcome.passed + skipped + others == outcome.all, "not every spec is accounted for: {outcome:?}");
    Ok(())
}

/// Runs critest on a node of its own.
fn run() -> Result<Outcome> {
    let segment = segment()?;
    let image = images::push(segment)?;
    // Whatever registry a spec names.
    let mirror = format!("\n[registries.\"*\"]\nmirrors = [{}]\n", mirror());
    let node = segment.machine_told(NODE, |config| config.tables += &mirror)?;
    let running = node.join()?;
    segment.kubectl.apply(&pod(&image).to_string())?;
    // kubelet is away as long as it runs: nobody else could tell of the pod.
    let mark = running.mark();
    running.wait_service_since(mark, "kubelet", "exited", within(300))?;
    running.wait_service_since(running.mark(), "kubelet", "healthy", within(LIMIT))?;
    let log = segment.kubectl.until("end of critest", within(120), |kubectl| {
        let log = kubectl.run(&["logs", NODE])?;
        Ok(log.contains("\ncritest status=").then_some(log))
    });
    let log = log.with_context(|| format!("{}", running.kept_log()))?;
    std::fs::write(segment.lab.folder.join("critest.log"), &log)?;
    segment.kubectl.run(&["delete", "node", NODE])?;
    Outcome::read(&log).with_context(|| format!("the log of critest: {log}"))
}

/// The pod that runs it, of the node's name.
fn pod(image: &str) -> Value {
    let left_out: Vec<&str> = LEFT_OUT.iter().map(|(spec, ..)| *spec).collect();
    let script = ["/bin/sh", "-c", SCRIPT, "critest", &left_out.join("|")];
    let name = |path: &str| path.trim_start_matches('/').replace('/', "-");
    let folders = ["/run", "/var/lib"];
    let volumes = folders.map(|path| json!({"name": name(path), "hostPath": {"path": path}}));
    let mounts =
        folders.map(|path| json!({"name": name(path), "mountPath": path, "mountPropagation": "Bidirectional"}));
    let container = json!({
        "name": "critest",
        "image": image,
        "command": script,
        "securityContext": {"privileged": true},
        "volumeMounts": mounts,
    });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NODE},
        "spec": {
            "nodeName": NODE,
            "hostPID": true,
            "hostNetwork": true,
            "hostIPC": true,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            // The node is not ready as long as kubelet is away.
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": volumes,
        },
    })
}

/// The files of the pod that runs it.
fn files(segment: &Segment) -> Result<LayerFile> {
    let path = segment.lab.tools.program("critest")?;
    Ok(LayerFile::File("/bin/critest".into(), 0o755, std::fs::read(path)?))
}

#[test]
fn the_manual_has_what_is_left_out_with_its_reason() -> Result<()> {
    let manual = include_str!("../../../../docs/lab.md");
    let all = LEFT_OUT.iter().chain(SKIPPED).chain([&BENCHMARKS]);
    let rows = all.map(|(specs, count, why)| format!("| `{specs}` | {count} | {why} |"));
    for row in rows {
        ensure!(manual.contains(&row), "docs/lab.md has no row {row}");
    }
    Ok(())
}
