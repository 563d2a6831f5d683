//! Talking to a container's own standard streams.

use anyhow::{Result, ensure};
use orlop_machine::within;

use crate::segment::one;

#[test]
fn what_is_said_by_attach_comes_back_from_the_container() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = &segment.busybox.digest;
    kubectl.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: listens}}
spec:
  nodeName: one
  restartPolicy: Never
  containers:
  - {{name: it, image: {image}, stdin: true, stdinOnce: true, command: [/bin/sh, -ec, "while read -r line; do echo heard $line; done; echo over"]}}
"#
    ))?;
    kubectl.wait("pod/listens", "condition=Ready", within(180))?;
    let heard = kubectl.feed(&["attach", "--stdin", "--quiet", "pod/listens"], "one\ntwo\n")?;
    for line in ["heard one", "heard two", "over"] {
        ensure!(heard.lines().any(|found| found.trim_end() == line), "no `{line}` in {heard}");
    }
    kubectl.wait("pod/listens", "jsonpath={.status.phase}=Succeeded", within(180))?;
    kubectl.run(&["delete", "pod/listens", "--wait=false"])?;
    Ok(())
}
