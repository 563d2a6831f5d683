//! The settings that PID 1 reads out of the verified root.

use super::{CONTAINERD_CONFIG, KUBELET_CONFIG, sysctls};
use crate::definition::Definition;
use crate::node::{NodeSettings, Preload};

/// What PID 1 needs to know of the image.
pub fn node_settings(definition: &Definition) -> NodeSettings {
    NodeSettings {
        version: crate::node::VERSION,
        image: definition.name.clone(),
        image_version: definition.version.clone(),
        class: definition.class.clone(),
        on_damage: definition.state.on_damage,
        sysctls: sysctls(definition),
        preload: definition.preload.keys().map(|reference| preload(reference)).collect(),
        static_pods: definition.static_pods.keys().cloned().collect(),
        containerd: words(&["/usr/bin/containerd", "-c", CONTAINERD_CONFIG]),
        kubelet: words(&[
            "/usr/bin/kubelet",
            &format!("--config={KUBELET_CONFIG}"),
            "--root-dir=/var/lib/kubelet",
            "--cert-dir=/var/lib/kubelet/pki",
        ]),
    }
}

fn preload(reference: &str) -> Preload {
    Preload { file: preload_file(reference), reference: reference.into() }
}

/// The archive's file name for an image reference: `localhost/pause:1` → `localhost_pause_1.tar`.
pub fn preload_file(reference: &str) -> String {
    format!("{}.tar", reference.replace(['/', ':'], "_"))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
