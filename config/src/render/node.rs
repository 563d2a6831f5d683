//! The settings that PID 1 reads out of the verified root.

use super::{CONTAINERD_CONFIG, KUBELET_CONFIG, sysctls};
use crate::definition::Definition;
use crate::node::{NodeConfigPolicy, NodeSettings};

/// What PID 1 needs to know of the image.
pub fn node_settings(definition: &Definition) -> NodeSettings {
    NodeSettings {
        version: crate::node::VERSION,
        image: definition.name.clone(),
        image_version: definition.version.clone(),
        class: definition.class.clone(),
        on_damage: definition.state.on_damage,
        sysctls: sysctls(definition),
        containerd: words(&["/usr/bin/containerd", "-c", CONTAINERD_CONFIG]),
        kubelet: words(&[
            "/usr/bin/kubelet",
            &format!("--config={KUBELET_CONFIG}"),
            "--root-dir=/var/lib/kubelet",
            "--cert-dir=/var/lib/kubelet/pki",
        ]),
        node_config: node_config_policy(definition),
    }
}

/// What the definition says of the node config, if its image takes one.
pub fn node_config_policy(definition: &Definition) -> Option<NodeConfigPolicy> {
    definition.node_config.as_ref().map(|table| NodeConfigPolicy {
        class: definition.class.clone(),
        providers: table.providers.clone(),
        allow: table.allow.clone(),
        static_pods: definition.static_pods.keys().cloned().collect(),
        has_certificate: false,
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
