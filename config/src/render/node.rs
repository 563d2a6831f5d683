//! The settings that PID 1 reads out of the verified root.

use super::{CONTAINERD_CONFIG, KUBELET_CONFIG, sysctls};
use crate::definition::Definition;
use crate::node::NodeSettings;

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
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
