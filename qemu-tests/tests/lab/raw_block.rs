//! A raw block volume: the pod gets a disk of the machine as a device, and kubelet keeps it by a loop device meanwhile.

use anyhow::{Result, ensure};
use orlop_machine::within;

use crate::segment::{SPARE_DISK, Segment, one};
use crate::volumes::local;

/// kubelet's loop devices for the volume, by the file behind each.
const LOCKS: &str = "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep lab-raw || echo none";

#[test]
fn a_pod_has_a_disk_as_a_device_and_the_next_pod_finds_what_it_wrote() -> Result<()> {
    let joined = one()?;
    let (segment, disk) = (joined.segment, joined.spare_disk()?);
    let kubectl = &segment.kubectl;
    let node = segment.daemon("lab-cni", "one")?;
    kubectl.apply(&local("one", "lab-raw", &disk, "Block"))?;
    // It is that disk and no other.
    let size = format!("test $(cat /sys/class/block/{}/size) = {}", disk.trim_start_matches("/dev/"), SPARE_DISK / 512);
    let script = format!("{size}; test -b /dev/raw; printf written-raw >/dev/raw; {LOCKS}");
    let log = ran(segment, "writes-raw", &script)?;
    ensure!(log.contains("/volumeDevices/lab-raw/"), "kubelet's lock on the device: {log}");
    let log = ran(segment, "reads-raw", "head -c 11 /dev/raw")?;
    ensure!(log.trim() == "written-raw", "{log}");
    // Its pod is in no network of its own, and sees the node's devices.
    let look = ["exec", "--namespace=kube-system", &node, "--", "/bin/sh", "-c", LOCKS];
    kubectl.until("end of kubelet's lock", within(180), |kubectl| {
        Ok((kubectl.run(&look)?.trim() == "none").then_some(()))
    })?;
    kubectl.run(&["delete", "pvc/lab-raw", "pv/lab-raw", "storageclass/lab-raw", "--wait=false"])?;
    Ok(())
}

/// Runs a pod with the volume to its end; what it said. It is gone afterwards.
fn ran(segment: &Segment, name: &str, script: &str) -> Result<String> {
    let (kubectl, image) = (&segment.kubectl, &segment.busybox.digest);
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  containers:
  - {{name: it, image: {image}, command: [/bin/sh, -ec, "{script}"], volumeDevices: [{{name: raw, devicePath: /dev/raw}}]}}
  volumes: [{{name: raw, persistentVolumeClaim: {{claimName: lab-raw}}}}]
"#
    ))?;
    kubectl.wait(&format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", within(180))?;
    let log = kubectl.run(&["logs", name])?;
    kubectl.run(&["delete", "pod", name, "--wait=false"])?;
    Ok(log)
}
