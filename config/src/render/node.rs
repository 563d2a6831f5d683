//! The settings that PID 1 reads out of the verified root.

use std::collections::BTreeSet;

use super::{CONTAINERD_CONFIG, KUBELET_CONFIG, sysctls};
use crate::definition::{Definition, ImageReference};
use crate::node::{CREDENTIAL_PROGRAMS, CREDENTIAL_PROVIDERS, NodeConfigPolicy, NodeSettings};

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
        kubelet: kubelet(definition),
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
        firewall: table.firewall.clone(),
        preload: preload_repositories(definition),
        has_certificate: false,
    })
}

fn kubelet(definition: &Definition) -> Vec<String> {
    let mut arguments = words(&[
        "/usr/bin/kubelet",
        &format!("--config={KUBELET_CONFIG}"),
        "--root-dir=/var/lib/kubelet",
        "--cert-dir=/var/lib/kubelet/pki",
    ]);
    if !definition.kubelet.credential_providers.is_empty() {
        arguments.push(format!("--image-credential-provider-config={CREDENTIAL_PROVIDERS}"));
        arguments.push(format!("--image-credential-provider-bin-dir={CREDENTIAL_PROGRAMS}"));
    }
    arguments
}

/// Those of `localhost` need no mention: nobody else has them.
fn preload_repositories(definition: &Definition) -> Vec<String> {
    let names = definition.preload.keys().filter_map(|reference| ImageReference::parse(reference).ok());
    let named: BTreeSet<String> = names.filter(|name| name.registry != "localhost").map(|name| name.name()).collect();
    named.into_iter().collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
