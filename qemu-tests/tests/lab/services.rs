//! Services and cluster DNS: kube-proxy in nftables mode and CoreDNS, over the node's own kernel.

use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use orlop_machine::lab::services;
use orlop_machine::within;

use crate::segment::{Segment, one};

/// Has kube-proxy and CoreDNS in the cluster; once for all tests.
pub fn started(segment: &Segment) -> Result<()> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || services::start(&segment.lab, &segment.plane(), &segment.registry);
    STARTED.get_or_init(|| start().map_err(|error| error.to_string())).clone().map_err(|error| anyhow!("{error}"))
}

#[test]
fn a_pod_finds_another_by_its_services_name() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    started(segment)?;
    let image = &segment.busybox.digest;
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  nodeName: one
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: {image}
    command: [/bin/sh, -ec, "mkdir -p /tmp/www; echo served >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
    readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Pod
metadata: {{name: client}}
spec:
  nodeName: one
  terminationGracePeriodSeconds: 1
  containers: [{{name: client, image: {image}, command: [/bin/sleep, "100000"]}}]
"#
    ))?;
    // Two images of 125 MB together.
    for part in ["daemonset/kube-proxy", "deployment/coredns"] {
        let rolled = kubectl.run_within(&["rollout", "status", "--namespace=kube-system", part], within(500));
        rolled.with_context(|| kubectl.run(&["describe", "pod", "--namespace=kube-system"]).unwrap_or_default())?;
    }
    kubectl.wait("pod/web", "condition=Ready", within(120))?;
    kubectl.wait("pod/client", "condition=Ready", within(120))?;
    // kube-proxy and CoreDNS learn of the Service a moment after the API server has it.
    let page = kubectl.until("page by the Service's name", within(60), |kubectl| {
        let url = "http://web.default.svc.cluster.local/index.html";
        kubectl.run(&["exec", "client", "--", "wget", "-qO-", "-T", "10", url]).map(Some)
    })?;
    ensure!(page.trim() == "served", "{page}");
    let api = ["exec", "client", "--", "nslookup", "kubernetes.default.svc.cluster.local"];
    ensure!(kubectl.run(&api)?.contains("10.96.0.1"), "the API server's Service has a name");
    let outside = kubectl.run(&["exec", "client", "--", "nslookup", "api.lab.test"])?;
    ensure!(outside.contains("192.0.2.1"), "names outside the cluster: {outside}");
    kubectl.run_within(&["delete", "service/web", "pod/web", "pod/client"], within(120))?;
    Ok(())
}
