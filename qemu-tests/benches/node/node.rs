//! The node that is measured, and two pods on it: one that sees all of the node, one that bytes are sent to.

use std::net::IpAddr;

use anyhow::Result;
use orlop_machine::lab::{Kubectl, services};
use orlop_machine::within;
use serde_json::json;

use crate::segment::Segment;
use crate::stream;

/// Sees processes, network and state partition of the node.
pub const LOOKS: &str = "looks";
/// Takes bytes, in a network of its own that it may change.
pub const TAKES: &str = "takes";

/// A joined node with both pods.
pub struct Measurable {
    pub segment: &'static Segment,
    pub name: String,
    /// The address of the pod that takes bytes.
    pub address: IpAddr,
}

impl Measurable {
    /// Starts the pods.
    pub fn prepare(segment: &'static Segment, name: &str) -> Result<Measurable> {
        segment.approver.approved(name, within(120))?;
        let image = segment.registry.push(&segment.lab, "nft:1", &services::nft_image(&segment.lab)?)?.digest;
        let pod = |pod: &str, script: &str, more: serde_json::Value| {
            let mut spec = json!({
                "nodeName": name,
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "it",
                    "image": image,
                    "command": ["/bin/sh", "-c", script],
                    "securityContext": {"privileged": true},
                    "volumeMounts": [{"name": "disk", "mountPath": "/disk"}],
                }],
                "volumes": [{"name": "disk", "emptyDir": {}}],
            });
            if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
                spec.extend(more.clone());
            }
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec}).to_string()
        };
        let kubectl = &segment.kubectl;
        kubectl.apply(&pod(LOOKS, "sleep 1000000", json!({"hostNetwork": true, "hostPID": true})))?;
        kubectl.apply(&pod(TAKES, stream::TAKER, json!({})))?;
        for pod in [LOOKS, TAKES] {
            kubectl.wait(&format!("pod/{pod}"), "condition=Ready", within(240))?;
        }
        let address = kubectl.pod_address(TAKES)?;
        Ok(Measurable { segment, name: name.into(), address })
    }

    /// The client of its cluster.
    pub fn kubectl(&self) -> &Kubectl {
        &self.segment.kubectl
    }

    /// Runs a script in the pod that sees all of the node.
    pub fn look(&self, script: &str) -> Result<String> {
        Ok(self.kubectl().run_within(&["exec", LOOKS, "--", "/bin/sh", "-ec", script], within(120))?)
    }
}
