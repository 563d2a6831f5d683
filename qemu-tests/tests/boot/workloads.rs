//! What the closing of the node must not take from ordinary pods, and what a pod is told that asks for what nobody gets.

use anyhow::{Context, Result};
use orlop_machine::within;
use serde_json::{Value, json};

use crate::bench::{Bench, Built, HEALTHY};
use crate::probe::Probed;

const EPERM: i64 = 1;

#[test]
fn ordinary_pods_do_not_notice() -> Result<()> {
    let bench = Bench::new(Built::Workloads)?;
    let node = Probed::boot(bench.machine(bench.throw_away()))?;
    let sysctl = node.ask(json!({ "do": "read", "path": "/proc/sys/kernel/io_uring_disabled" }))?["head"].to_string();

    // containerd's default profile allows neither a namespace of its own nor io_uring: as everywhere.
    let refused = json!({ "errno": EPERM });
    let pod = workload(&node, "ordinary", "default")?;
    made_code_runs(&pod);
    assert_eq!((&pod["user_namespace"], &pod["io_uring"]), (&refused, &refused), "{pod}");

    // Without a profile, and in a privileged pod: what the kernel lets them do. At 1 io_uring is for CAP_SYS_ADMIN.
    let io_uring = |is_allowed: bool| if is_allowed { json!(0) } else { refused.clone() };
    let pod = workload(&node, "ordinary", "unconfined")?;
    made_code_runs(&pod);
    assert_eq!(pod["io_uring"], io_uring(sysctl.contains('0')), "{pod}");
    let privileged = node.ask(json!({ "do": "workload" }))?["workload"].take();
    made_code_runs(&privileged);
    assert_eq!(
        (&privileged["user_namespace"], &privileged["io_uring"]),
        (&json!(0), &io_uring(!sysctl.contains('2'))),
        "{privileged}"
    );

    // Root of a pod without the host's users is somebody else on the host.
    let pod = workload(&node, "host-users", "workload")?;
    made_code_runs(&pod);
    let map = &pod["uid_map"];
    assert_eq!((&map[0], map[1] != "0"), (&json!("0"), true), "{pod}");

    a_pod_that_names_a_dropped_capability_is_told(&node)
}

fn made_code_runs(pod: &Value) {
    assert_eq!((&pod["jit"], &pod["jit_protected"], &pod["memfd"]), (&json!(42), &json!(42), &json!(0)), "{pod}");
}

/// What a container said about itself.
fn workload(node: &Probed, pod: &str, container: &str) -> Result<Value> {
    node.0.healthy_with_pod(pod)?;
    let folder = log_folder(node, pod)?;
    let path = format!("{folder}/{container}/0.log");
    let line = node.ask(json!({ "do": "await-text", "path": path, "text": "workload {", "seconds": HEALTHY }))?;
    let line = line["line"].as_str().context("a line")?.to_owned();
    Ok(serde_json::from_str(&line[line.find('{').context("an object")?..])?)
}

fn log_folder(node: &Probed, pod: &str) -> Result<String> {
    let list = node.ask(json!({ "do": "list", "path": "/host/var/log/pods" }))?;
    let names = list["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let prefix = format!("default_{pod}-");
    let name = names.into_iter().find(|name| name.starts_with(&prefix)).with_context(|| format!("{pod}: {list}"))?;
    Ok(format!("/host/var/log/pods/{name}"))
}

fn a_pod_that_names_a_dropped_capability_is_told(node: &Probed) -> Result<()> {
    let text = "names-a-capability";
    let log = json!({ "do": "await-text", "path": "/host/var/log/kubelet.log", "text": "operation not permitted", "seconds": within(HEALTHY).as_secs() });
    let line = node.ask(log)?["line"].to_string();
    assert!(line.contains(text), "{line}");
    assert!(line.contains("unable to apply caps"), "{line}");
    assert!(!node.0.said(&format!("pod={text} state=running")));
    Ok(())
}
