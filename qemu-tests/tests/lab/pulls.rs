//! Pulling from a registry.

use anyhow::{Result, ensure};
use orlop_machine::lab::cni;
use orlop_machine::within;

use crate::segment::{ELSEWHERE, MISTAKEN, Segment, one};

/// An image of the root, as `qemu-tests/images/lab.toml` names it.
const CARRIED: &str = "registry.lab.test/carried:1";

#[test]
fn an_image_is_pulled_by_its_tag_and_by_its_digest() -> Result<()> {
    let segment = one()?.segment;
    let busybox = cni::busybox(&segment.lab)?;
    let push = |name: &str, says: &str| segment.registry.push(&segment.lab, name, &busybox.with("/mark", 0o644, says));
    let pushed = push("pulled:1", "by tag")?;
    ran(segment, "by-tag", &pushed.tag, "by tag")?;
    let pushed = push("pulled:2", "by digest")?;
    ran(segment, "by-digest", &pushed.digest, "by digest")
}

/// Its own registry is nowhere, and so is the first mirror.
#[test]
fn an_image_is_pulled_through_the_mirror_that_answers() -> Result<()> {
    let segment = one()?.segment;
    let image = cni::busybox(&segment.lab)?.with("/mark", 0o644, "by a mirror");
    segment.registry.push(&segment.lab, "team/mirrored:1", &image)?;
    ran(segment, "by-mirror", &format!("{ELSEWHERE}/team/mirrored:1"), "by a mirror")
}

/// kubelet did not pull it and knows nobody's right to it: it runs because it is on the list of the root's images. The policy
/// `Never` would be an error otherwise, the other one a pull.
#[test]
fn an_image_of_the_root_runs_and_the_registry_that_it_is_named_after_is_not_asked() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: carried}}, spec: {{nodeName: one, \
         terminationGracePeriodSeconds: 1, containers: [\
         {{name: never, image: \"{CARRIED}\", imagePullPolicy: Never}}, \
         {{name: unless-there, image: \"{CARRIED}\", imagePullPolicy: IfNotPresent}}]}}}}"
    ))?;
    kubectl.wait("pod/carried", "condition=Ready", within(180))?;
    let pod = kubectl.get(&["pod", "carried"])?;
    ensure!(pod["spec"]["imagePullSecrets"].is_null(), "{}", pod["spec"]);
    // Each request is a line.
    let log = std::fs::read(segment.lab.folder.join("registry.log"))?;
    let log = String::from_utf8_lossy(&log);
    ensure!(log.contains("/v2/busybox/"), "the registry's log does not show what it is asked for: {log}");
    ensure!(!log.contains("/v2/carried/"), "{log}");
    kubectl.run(&["delete", "pod", "carried", "--wait=false"])?;
    Ok(())
}

/// Runs a pod of an image to its end, and asserts what it says.
fn ran(segment: &Segment, name: &str, image: &str, says: &str) -> Result<()> {
    let kubectl = &segment.kubectl;
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: one, restartPolicy: Never, \
         containers: [{{name: it, image: \"{image}\", imagePullPolicy: Always, command: [/bin/cat, /mark]}}]}}}}"
    ))?;
    kubectl.wait(&format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", within(180))?;
    let log = kubectl.run(&["logs", name])?;
    ensure!(log.trim() == says, "{log}");
    kubectl.run(&["delete", "pod", name])?;
    Ok(())
}

/// The same server by its address: at one port nobody told the node of an authority for that name, at the other one it was told of
/// a wrong one.
#[test]
fn a_registry_with_another_authority_is_refused_and_the_pod_says_why() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    let pods = [("refused", "192.0.2.1:443"), ("mistaken", MISTAKEN)];
    for (name, registry) in pods {
        kubectl.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{nodeName: one, \
             containers: [{{name: it, image: \"{registry}/busybox:1\"}}]}}}}"
        ))?;
    }
    for (name, registry) in pods {
        let why = refused(segment, name, "x509")?;
        ensure!(why.contains("unknown authority") && why.contains(registry), "{name}: {why}");
    }
    kubectl.run_within(&["delete", "pod/refused", "pod/mistaken", "--grace-period=0", "--force"], within(60))?;
    Ok(())
}

/// Waits until a pod says in these words why its image is not pulled: all that it says of it.
pub fn refused(segment: &Segment, pod: &str, words: &str) -> Result<String> {
    let why = segment.kubectl.watch_one("pods", pod, within(120), |pod| {
        let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        waiting["message"].as_str().filter(|text| text.contains(words)).map(str::to_owned)
    })?;
    Ok(why)
}
