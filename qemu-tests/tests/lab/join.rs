//! A node that was never here before joins, and runs pods with what pods commonly use.

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::Service;
use orlop_machine::within;

use crate::segment::{Segment, one};

#[test]
fn a_machine_joins_and_its_pod_has_all_that_pods_use() -> Result<()> {
    let one = one()?;
    let segment = one.segment;
    let kubectl = &segment.kubectl;
    // It came by the token, and its serving certificate by a request that was approved.
    ensure!(!one.requests.is_empty(), "no request by the token was for this node's certificate");
    segment.approver.approved("one", within(60))?;

    kubectl.apply(&pod(segment, "uses-all", "one"))?;
    kubectl.wait("pod/uses-all", "condition=Ready", within(180))?;
    let log = kubectl.run(&["logs", "uses-all"])?;
    for line in [
        "token=yes",
        "config=hello",
        "one=hello",
        "secret=swordfish",
        "projected=hello",
        "name=uses-all",
        "namespace=default",
        "memory=tmpfs",
        "shared=written",
        "ready",
    ] {
        ensure!(log.lines().any(|found| found == line), "no line `{line}` in {log}");
    }
    ensure!(kubectl.run(&["exec", "uses-all", "--", "hostname"])?.trim() == "uses-all", "exec");
    forwarded(segment)?;
    let kubelet = kubectl.run(&["get", "--raw", "/api/v1/nodes/one/proxy/healthz"])?;
    ensure!(kubelet == "ok", "the API server reaches kubelet by its serving certificate: {kubelet}");
    kubectl.run_within(&["delete", "pod/uses-all", "--grace-period=1"], within(120))?;
    Ok(())
}

/// The pod's web server, asked by way of the API server and kubelet.
fn forwarded(segment: &Segment) -> Result<()> {
    let command = segment.kubectl.command(&["port-forward", "pod/uses-all", ":8080"]);
    let forward = Service::start("port-forward", command, &segment.lab.folder.join("port-forward.log"))?;
    let line = forward.wait_line("Forwarding from 127.0.0.1:", within(60))?;
    let port = line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).context("a port")?;
    let url = format!("http://127.0.0.1:{port}/index.html");
    let page = segment.lab.busybox(&["wget", "-qO-", "-T", "30", &url])?;
    ensure!(page.trim() == "page", "{page}");
    Ok(())
}

/// A pod with token, configMap, secret, projected volume, downward API (in that and by itself), emptyDirs on disk and in memory, and subPaths;
/// the objects that it needs beside it.
fn pod(segment: &Segment, name: &str, node: &str) -> String {
    let image = &segment.busybox.digest;
    format!(
        r#"
apiVersion: v1
kind: ConfigMap
metadata: {{name: greeting}}
data: {{greeting: hello}}
---
apiVersion: v1
kind: Secret
metadata: {{name: word}}
stringData: {{word: swordfish}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  nodeName: {node}
  containers:
  - name: all
    image: {image}
    command:
    - /bin/sh
    - -ec
    - |
      test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo token=yes
      echo config=$(cat /config/greeting) one=$(cat /one) | tr ' ' '\n'
      echo secret=$(cat /secret/word)
      echo projected=$(cat /all/greeting)
      echo name=$(cat /all/name)
      echo namespace=$(cat /self/namespace)
      echo memory=$(awk '$2 == "/memory" {{ print $3 }}' /proc/mounts)
      echo written >/inner/file
      echo shared=$(cat /disk/inner/file)
      mkdir -p /memory/www && echo page >/memory/www/index.html
      echo ready
      exec httpd -f -p 8080 -h /memory/www
    ports: [{{containerPort: 8080}}]
    readinessProbe: {{httpGet: {{path: /index.html, port: 8080}}, periodSeconds: 1}}
    livenessProbe: {{tcpSocket: {{port: 8080}}}}
    volumeMounts:
    - {{name: config, mountPath: /config}}
    - {{name: config, mountPath: /one, subPath: greeting}}
    - {{name: secret, mountPath: /secret}}
    - {{name: all, mountPath: /all}}
    - {{name: self, mountPath: /self}}
    - {{name: memory, mountPath: /memory}}
    - {{name: disk, mountPath: /disk}}
    - {{name: disk, mountPath: /inner, subPath: inner}}
  volumes:
  - {{name: config, configMap: {{name: greeting}}}}
  - {{name: secret, secret: {{secretName: word}}}}
  - name: all
    projected:
      sources:
      - configMap: {{name: greeting}}
      - downwardAPI: {{items: [{{path: name, fieldRef: {{fieldPath: metadata.name}}}}]}}
  - {{name: self, downwardAPI: {{items: [{{path: namespace, fieldRef: {{fieldPath: metadata.namespace}}}}]}}}}
  - {{name: memory, emptyDir: {{medium: Memory, sizeLimit: 8Mi}}}}
  - {{name: disk, emptyDir: {{}}}}
"#
    )
}
