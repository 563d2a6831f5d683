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
/// Folder of the preload archives.
pub const PRELOAD: &str = "/usr/share/orlop/preload";
/// Path → component; component → name, version, origin, SHA-256.
pub const COMPONENTS: &str = "/usr/share/orlop/components.json";

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
    /// Preload archives in [`PRELOAD`], with the image reference that each holds.
    pub preload: Vec<Preload>,
    /// Names of the static pods (`metadata.name`), which the boot report waits for.
    pub static_pods: Vec<String>,
    /// containerd's arguments, the program first (absolute).
    pub containerd: Vec<String>,
    /// kubelet's arguments, the program first (absolute).
    pub kubelet: Vec<String>,
}

/// One preload archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// File name in the preload folder.
    pub file: String,
    /// Image reference, such as `localhost/pause:1`.
    pub reference: String,
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
