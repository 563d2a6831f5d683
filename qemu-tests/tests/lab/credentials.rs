//! kubelet's credential provider: for the images that it is for, and for no other.

use anyhow::{Result, ensure};
use orlop_machine::lab::cni;
use orlop_machine::within;

use crate::pulls::refused;
use crate::segment::one;

#[test]
fn a_provider_of_the_image_gives_kubelet_the_registrys_password() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let image = cni::busybox(&segment.lab)?;
    let pod = |name: &str| -> Result<()> {
        let image = segment.registry.push(&segment.lab, &format!("{name}:1"), &image)?.guarded;
        kubectl.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: one, restartPolicy: Never, \
             containers: [{{name: it, image: \"{image}\", command: [/bin/true]}}]}}}}"
        ))?;
        Ok(())
    };
    pod("opened")?;
    pod("closed")?;
    kubectl.wait("pod/opened", "jsonpath={.status.phase}=Succeeded", within(180))?;
    let why = refused(segment, "closed", "no basic auth credentials")?;
    ensure!(why.contains("closed:1"), "{why}");
    kubectl.run_within(&["delete", "pod/opened", "pod/closed", "--grace-period=0", "--force"], within(60))?;
    Ok(())
}
