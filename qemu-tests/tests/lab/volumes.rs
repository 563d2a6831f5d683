//! Volumes that are more than a folder, and pods in a user namespace.

use anyhow::{Result, ensure};
use orlop_machine::within;

use crate::segment::one;

#[test]
fn a_host_path_and_a_local_volume_keep_what_pods_write() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = &segment.busybox.digest;
    kubectl.apply(&local("one", "local", "/var/lib/lab-local", "Filesystem"))?;
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: makes-folder}}
spec:
  nodeName: one
  restartPolicy: Never
  containers:
  - name: it
    image: {image}
    command: [/bin/sh, -ec, "echo kept >/host/file"]
    volumeMounts: [{{name: host, mountPath: /host}}]
  volumes: [{{name: host, hostPath: {{path: /var/lib/lab-local, type: DirectoryOrCreate}}}}]
"#
    ))?;
    kubectl.wait("pod/makes-folder", "jsonpath={.status.phase}=Succeeded", within(300))?;
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: reads-local}}
spec:
  restartPolicy: Never
  containers:
  - name: it
    image: {image}
    command: [/bin/cat, /local/file]
    volumeMounts: [{{name: local, mountPath: /local}}]
  volumes: [{{name: local, persistentVolumeClaim: {{claimName: local}}}}]
"#
    ))?;
    kubectl.wait("pod/reads-local", "jsonpath={.status.phase}=Succeeded", within(300))?;
    ensure!(kubectl.run(&["logs", "reads-local"])?.trim() == "kept", "the local volume is that folder");
    kubectl.run_within(&["delete", "pod/makes-folder", "pod/reads-local", "pvc/local", "pv/local"], within(120))?;
    Ok(())
}

#[test]
fn a_pod_in_a_user_namespace_is_root_of_nothing_else() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = &segment.busybox.digest;
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: mapped}}
spec:
  nodeName: one
  hostUsers: false
  restartPolicy: Never
  containers:
  - name: it
    image: {image}
    command: [/bin/sh, -ec, "id -u; cat /proc/self/uid_map"]
    volumeMounts: [{{name: disk, mountPath: /disk}}]
  volumes: [{{name: disk, emptyDir: {{}}}}]
"#
    ))?;
    kubectl.wait("pod/mapped", "jsonpath={.status.phase}=Succeeded", within(300))?;
    let log = kubectl.run(&["logs", "mapped"])?;
    let words: Vec<&str> = log.split_whitespace().collect();
    // Its root is another user outside, and 65,536 users are mapped.
    ensure!(matches!(words[..], ["0", "0", outside, "65536"] if outside != "0"), "{log}");
    kubectl.run(&["delete", "pod/mapped"])?;
    Ok(())
}

/// A folder or a disk of a node as a volume of this mode, and a claim for it; all of this name.
pub fn local(node: &str, name: &str, path: &str, mode: &str) -> String {
    format!(
        r#"
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: {name}}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {name}}}
spec:
  capacity: {{storage: 16Mi}}
  volumeMode: {mode}
  accessModes: [ReadWriteOnce]
  storageClassName: {name}
  local: {{path: {path}}}
  nodeAffinity:
    required:
      nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [{node}]}}]}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec:
  storageClassName: {name}
  volumeMode: {mode}
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 16Mi}}}}
"#
    )
}
