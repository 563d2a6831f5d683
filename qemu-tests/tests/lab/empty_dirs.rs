//! emptyDir: on the state partition and in memory, how long it lives and how much it holds.

use anyhow::{Result, ensure};
use orlop_machine::within;

use crate::segment::{Segment, one};

#[test]
fn an_empty_dir_outlives_its_container_and_holds_what_its_limit_says() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    kubectl.apply(&pod(segment))?;
    kubectl.wait("pod/writes", "jsonpath={.status.containerStatuses[0].restartCount}=1", within(240))?;
    let log = kubectl.until("log of the second container", within(120), |kubectl| {
        kubectl.run(&["logs", "writes"]).map(|log| log.contains("written\n").then_some(log))
    })?;
    for line in ["memory=tmpfs size=8192k", "disk=ext4", "kept on disk", "kept in memory", "full at 8 MiB"] {
        ensure!(log.lines().any(|found| found == line), "no line `{line}` in {log}");
    }
    // kubelet measures disks once a minute.
    kubectl.wait("pod/writes", "jsonpath={.status.reason}=Evicted", within(240))?;
    let status = kubectl.get(&["pod", "writes"])?["status"].clone();
    let message = status["message"].as_str().unwrap_or_default();
    ensure!(status["phase"] == "Failed" && message.contains("exceeds the limit \"1Mi\""), "{status}");
    kubectl.run(&["delete", "pod/writes", "--wait=false"])?;
    Ok(())
}

/// A pod that fails once, finds in its second container what the first one wrote, and then writes more onto the disk than
/// it said.
fn pod(segment: &Segment) -> String {
    let image = &segment.busybox.digest;
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: writes}}
spec:
  nodeName: one
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 1
  containers:
  - name: it
    image: {image}
    command:
    - /bin/sh
    - -ec
    - |
      if ! test -e /disk/mark; then
        echo disk >/disk/mark
        echo memory >/memory/mark
        exit 1
      fi
      awk '$2 == "/memory" {{ split($4, all, ","); for (i in all) if (all[i] ~ /^size=/) print "memory=" $3, all[i] }}
        $2 == "/disk" {{ print "disk=" $3 }}' /proc/mounts
      echo kept on $(cat /disk/mark)
      echo kept in $(cat /memory/mark)
      if dd if=/dev/zero of=/memory/fill bs=1M count=9 2>/dev/null; then exit 0; fi
      test $(stat -c %s /memory/fill) -gt 7000000 && echo full at 8 MiB
      dd if=/dev/zero of=/disk/fill bs=1M count=4 2>/dev/null
      echo written
      exec sleep 100000
    volumeMounts:
    - {{name: disk, mountPath: /disk}}
    - {{name: memory, mountPath: /memory}}
  volumes:
  - {{name: disk, emptyDir: {{sizeLimit: 1Mi}}}}
  - {{name: memory, emptyDir: {{medium: Memory, sizeLimit: 8Mi}}}}
"#
    )
}
