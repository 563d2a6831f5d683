//! A node that comes back with a client certificate that is not good: run out, or another cluster's. As docs/joining.md has it.

use anyhow::{Result, ensure};
use orlop_machine::lab::Token;
use orlop_machine::within;
use serde_json::json;

use crate::joining::{client_certificate, failing, joined, old_certificate, uid};
use crate::segment::{Node, segment};

/// Where kubelet has its certificates, on the state partition. Its links in there are absolute: a pod has it at the same place.
const PKI: &str = "/var/lib/kubelet/pki";

/// Three boots: the first one joins, the second one asks by its token, the third one does not, though the token is good.
#[test]
fn a_lapsed_certificate_is_replaced_by_the_token_and_another_clusters_is_not() -> Result<()> {
    let segment = segment()?;
    let kubectl = &segment.kubectl;
    let mut node = segment.machine("lapses")?;
    let running = node.join()?;
    let before = uid(segment, "lapses")?;
    swap(&node, &old_certificate(segment, "lapses")?)?;
    running.power_off(within(180))?;

    // One that the cluster does not know yet, which to the node is like one that ran out.
    let token = Token::new("lapse1", "0123456789abcdef");
    let user = format!("system:bootstrap:{}", token.id);
    node.tell(|config| config.token = Some(token.text()));
    let running = node.start()?;
    let reason = failing(&running, "token")?;
    ensure!(reason.contains("Unauthorized") && reason.contains("kubeadm token create"), "{reason}");
    kubectl.apply(&token.secret().to_string())?;
    joined(&running, "lapses")?;
    node.ready(&running)?;
    let asked = segment.requests_by(&user, "lapses")?;
    ensure!(asked.len() == 1, "one request, by its new token: {asked:?}");
    ensure!(uid(segment, "lapses")? == before, "it is another node now");

    // The registry's authority has signed nothing of the cluster's.
    swap(&node, &client_certificate(segment, &segment.registry.authority, "lapses", None)?)?;
    running.power_off(within(180))?;
    let running = node.start()?;
    let reason = failing(&running, "identity")?;
    ensure!(reason.contains("Unauthorized") && reason.contains("wipe its state"), "{reason}");
    ensure!(segment.requests_by(&user, "lapses")? == asked, "it asked by its token, with a certificate at hand");
    running.cut_power();
    kubectl.run(&["delete", "secret", "--namespace=kube-system", &token.object()])?;
    kubectl.run(&["delete", "node/lapses"])?;
    Ok(())
}

/// Puts a certificate and its key into the file that kubelet's link leads to. kubelet reads it at its start: the one that runs
/// goes on by the one in its memory, and writes another only when that is old.
fn swap(node: &Node, (certificate, key): &(String, String)) -> Result<()> {
    let (segment, kubectl) = (node.segment, &node.segment.kubectl);
    // A redirection goes through the link, and leaves it.
    let script = format!("printf %s \"$PAIR\" >{PKI}/kubelet-client-current.pem");
    let container = json!({
        "name": "it",
        "image": segment.busybox.digest,
        "command": ["/bin/sh", "-ec", script],
        "env": [{"name": "PAIR", "value": format!("{certificate}{key}")}],
        "volumeMounts": [{"name": "pki", "mountPath": PKI}],
    });
    let volume = json!({"name": "pki", "hostPath": {"path": PKI, "type": "Directory"}});
    let spec = json!({"nodeName": node.name, "restartPolicy": "Never", "containers": [container], "volumes": [volume]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "swaps"}, "spec": spec});
    kubectl.apply(&pod.to_string())?;
    kubectl.wait("pod/swaps", "jsonpath={.status.phase}=Succeeded", within(300))?;
    kubectl.run_within(&["delete", "pod/swaps"], within(120))?;
    Ok(())
}
