//! kubelet's probes: what a container must show before it counts as started and ready, and what restarts it.

use anyhow::{Result, ensure};
use orlop_machine::within;
use serde_json::Value;

use crate::segment::one;

#[test]
fn a_container_starts_gets_ready_and_is_restarted_as_its_probes_say() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = &segment.busybox.digest;
    // Under emulation an exec costs a second of a processor: the probe that is done once it was right runs a command, and
    // those that go on ask for pages, which cost nothing.
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: probed}}
spec:
  nodeName: one
  terminationGracePeriodSeconds: 1
  containers:
  - name: it
    image: {image}
    command: [/bin/sh, -ec, "mkdir -p /tmp/www; touch /tmp/www/alive; exec httpd -f -p 8080 -h /tmp/www"]
    startupProbe: {{exec: {{command: [/bin/cat, /tmp/started]}}, periodSeconds: 2, timeoutSeconds: 30, failureThreshold: 90}}
    readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1, timeoutSeconds: 30}}
    livenessProbe: {{httpGet: {{path: /alive, port: 8080}}, periodSeconds: 1, timeoutSeconds: 30, failureThreshold: 1}}
"#
    ))?;
    let status = |field: &str, value: &str| {
        let condition = format!("jsonpath={{.status.containerStatuses[0].{field}}}={value}");
        kubectl.wait("pod/probed", &condition, within(120))
    };
    let script = |script: &str| kubectl.run(&["exec", "probed", "--", "/bin/sh", "-ec", script]);
    kubectl.wait("pod/probed", "jsonpath={.status.phase}=Running", within(180))?;
    // By the command's own word: of a probe that never ran it would not be started either.
    kubectl.until("failed command of the startup probe", within(60), |kubectl| {
        let events = kubectl.get(&["events", "--field-selector=involvedObject.name=probed,reason=Unhealthy"])?;
        let failed = |event: &Value| {
            event["message"].as_str().is_some_and(|said| said.starts_with("Startup probe failed: cat: can't open"))
        };
        Ok(events["items"].as_array().is_some_and(|all| all.iter().any(failed)).then_some(()))
    })?;
    let pod = kubectl.get(&["pod", "probed"])?;
    let found = &pod["status"]["containerStatuses"][0];
    ensure!(found["started"] == false && found["ready"] == false, "its startup probe fails: {found}");

    script("touch /tmp/started")?;
    status("started", "true")?;
    ensure!(kubectl.get(&["pod", "probed"])?["status"]["containerStatuses"][0]["ready"] == false, "no page yet");

    script("touch /tmp/www/ready")?;
    kubectl.wait("pod/probed", "condition=Ready", within(60))?;
    script("rm /tmp/www/ready")?;
    kubectl.wait("pod/probed", "condition=Ready=false", within(60))?;

    script("rm /tmp/www/alive")?;
    status("restartCount", "1")?;
    // The new container has files of its own, and starts from the first probe on. For a moment kubelet says of it what it
    // said of the container before.
    kubectl.watch_one("pods", "probed", within(120), |pod| {
        let found = &pod["status"]["containerStatuses"][0];
        let runs = found["state"]["running"].is_object() && found["restartCount"] == 1;
        (runs && found["started"] == false && found["ready"] == false).then_some(())
    })?;
    kubectl.run(&["delete", "pod/probed", "--wait=false"])?;
    Ok(())
}
