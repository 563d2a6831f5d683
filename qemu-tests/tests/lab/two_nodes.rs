//! Two nodes on the segment.

use anyhow::{Result, ensure};
use orlop_machine::within;

use crate::segment::one;

#[test]
fn pods_of_two_nodes_reach_each_other_in_both_directions() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let node = segment.machine("two")?;
    let running = node.join()?;
    let image = &segment.busybox.digest;
    for name in ["one", "two"] {
        kubectl.apply(&format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: on-{name}}}
spec:
  nodeName: {name}
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: {image}
    command: [/bin/sh, -ec, "mkdir -p /tmp/www; echo $HOSTNAME >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
    readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
"#
        ))?;
    }
    let mut addresses = Vec::new();
    for name in ["one", "two"] {
        kubectl.wait(&format!("pod/on-{name}"), "condition=Ready", within(180))?;
        addresses.push(kubectl.pod_address(&format!("on-{name}"))?);
    }
    for (from, to, address) in [("on-one", "on-two", &addresses[1]), ("on-two", "on-one", &addresses[0])] {
        let url = format!("http://{address}:8080/index.html");
        // The routes come with the next change of a node, and every 20 seconds.
        let page = kubectl.until("page of the other node's pod", within(60), |kubectl| {
            kubectl.run(&["exec", from, "--", "wget", "-qO-", "-T", "5", &url]).map(Some)
        })?;
        ensure!(page.trim() == to, "{from} asked {to}: {page}");
    }
    kubectl.run_within(&["delete", "pod/on-one", "pod/on-two"], within(240))?;
    running.power_off(within(120))?;
    kubectl.wait("node/two", "condition=Ready=false", within(60)).or_else(|_| {
        // A node that is gone without a word is Unknown.
        kubectl.wait("node/two", "condition=Ready=unknown", within(90))
    })?;
    kubectl.run(&["delete", "node/two"])?;
    Ok(())
}
