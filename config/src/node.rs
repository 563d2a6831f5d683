//! Node settings: what PID 1 needs to know of the image, rendered by the builder into the verified root
//! (`/usr/share/orlop/node.json`), and the module lists (`modules.json` in initramfs and root).

use serde::{Deserialize, Serialize};

/// Version of both documents' formats.
pub const VERSION: u32 = 1;
/// Where the node settings lie in the root.
pub const NODE_SETTINGS: &str = "/usr/share/orlop/node.json";
/// Where the root's module list lies.
pub const ROOT_MODULES: &str = "/usr/share/orlop/modules.json";
/// Where the state template lies.
pub const STATE_TEMPLATE: &str = "/usr/share/orlop/state.template";
/// Folder of the preload archives, each called by [`preload_file`].
pub const PRELOAD: &str = "/usr/share/orlop/preload";
/// Folder of the static pods' manifests, each called `NAME.yaml` after its `metadata.name`.
pub const STATIC_PODS: &str = "/etc/kubernetes/manifests";
/// Path → component; component → name, version, origin, SHA-256.
pub const COMPONENTS: &str = "/usr/share/orlop/components.json";

/// The signed IPE policy in the root: PKCS#7 around the policy's text, by the db key.
pub const IPE_POLICY: &str = "/usr/share/orlop/ipe/orlop_node.p7b";
/// The policy's name, as in its text and below `/sys/kernel/security/ipe/policies`.
pub const IPE_POLICY_NAME: &str = "orlop_node";

/// containerd's socket.
pub const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// Where kubelet looks for its container runtime: a link of PID 1's, to [`CONTAINERD_SOCKET`] once containerd has the
/// images of the preload.
pub const CRI_SOCKET: &str = "/run/orlop/cri.sock";

/// The archive's file name for an image reference: `localhost/pause:1` → `localhost+pause:1.tar`.
pub fn preload_file(reference: &str) -> String {
    format!("{}.tar", reference.replace('/', "+"))
}

/// The image reference that an archive of this name holds.
pub fn preload_reference(file: &str) -> Option<String> {
    file.strip_suffix(".tar").map(|name| name.replace('+', "/"))
}

/// What happens to a state filesystem that does not mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDamage {
    /// The boot is refused, stage `state`; nothing is written.
    #[default]
    Refuse,
    /// The partition is made anew; what it held is lost, and the boot report says so.
    Wipe,
}

/// What PID 1 needs to know of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// Format version, first: 1.
    pub version: u32,
    /// Image name; a state partition of another image or class is refused.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// Sensitivity class.
    pub class: String,
    /// What happens to a damaged state filesystem.
    pub on_damage: OnDamage,
    /// Sysctls, in order: `kernel.panic` → `10`. Set and read back.
    pub sysctls: Vec<(String, String)>,
    /// containerd's arguments, the program first (absolute).
    pub containerd: Vec<String>,
    /// kubelet's arguments, the program first (absolute).
    pub kubelet: Vec<String>,
}

/// `modules.json`: every list is closed over its dependencies and in loading order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleLists {
    /// Loaded first, all of them.
    pub first: Vec<Module>,
    /// Loaded afterwards (in the root: beside containerd and kubelet), all of them. Empty in the initramfs.
    pub later: Vec<Module>,
    /// Loaded when a device's modalias matches, after their dependencies.
    pub by_alias: Vec<Module>,
}

/// One kernel module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Name as in `/proc/modules`.
    pub name: String,
    /// Absolute path of the `.ko.xz`.
    pub path: String,
    /// Names of the modules that must be loaded before it (all are in one of the lists).
    pub depends: Vec<String>,
    /// Patterns of modalias, for `by_alias` only (`fnmatch` with `*`, `?`, `[a-z]`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archives_name_tells_its_reference() {
        let file = preload_file("registry.example:5000/team/app:1.2");
        assert_eq!(file, "registry.example:5000+team+app:1.2.tar");
        assert_eq!(preload_reference(&file).as_deref(), Some("registry.example:5000/team/app:1.2"));
        assert_eq!(preload_reference("readme"), None);
    }
}
