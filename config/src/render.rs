//! What is rendered from a definition into the verified root: configuration of the services, sysctls, and the
//! few files that programs expect below `/etc`; and, for a node of a cluster, from its node config at boot.
//! Pure: text in, text out; the builder writes it into the tree, PID 1 onto tmpfs.

mod accounts;
mod cluster;
mod cni;
mod containerd;
mod credential_providers;
mod ipe;
mod kubelet;
mod node;
mod sysctls;

pub use accounts::{group, os_release, passwd};
pub use cluster::{Facts, Rendered, RenderedFile, TMPFS_FOLDERS, cluster};
pub use cni::cni;
pub use containerd::containerd;
pub use credential_providers::credential_providers;
pub use ipe::ipe_policy;
pub use kubelet::{kubelet, kubelet_keys};
pub use node::{node_config_policy, node_settings};
pub use sysctls::sysctls;

use crate::definition::Definition;

/// The image that holds every pod's namespaces; each definition carries it as a preload.
pub const SANDBOX_IMAGE: &str = "localhost/pause:1";
/// Where containerd's configuration lies in the root.
pub const CONTAINERD_CONFIG: &str = "/etc/containerd/config.toml";
/// Where kubelet's configuration lies in the root.
pub const KUBELET_CONFIG: &str = "/etc/kubernetes/kubelet.yaml";
/// Where the network of a node without a cluster lies in the root; init copies it to the tmpfs `/etc/cni/net.d`.
pub const CNI_CONFIG: &str = "/usr/share/orlop/cni/10-orlop.conflist";
/// The pods' network on a node without a cluster.
pub const POD_NETWORK: &str = "10.88.0.0/24";

/// Bytes of the kernel's command line on x86 with its NUL (`COMMAND_LINE_SIZE`).
pub const COMMAND_LINE_LIMIT: usize = 2048;

/// kubelet's configuration with every key that it can have on a node of this image, whatever the node is told.
pub fn widest_kubelet(definition: &Definition) -> String {
    match definition.node_config {
        None => kubelet(),
        Some(_) => cluster::widest_kubelet(&node_settings(definition)),
    }
}

/// The whole command line. Its last ` --` makes what a hypervisor appends into arguments of init, which does
/// not read them, instead of arguments of the kernel, which would (`rdinit=`).
pub fn command_line(definition: &Definition) -> String {
    format!("{} --", definition.kernel.command_line.join(" "))
}
