//! The image definition: `images/NAME.toml`, what one image contains and how it is laid out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::firewall::Openings;
use crate::manifest::{Refusal, SecureBoot};
use crate::node::{Allowance, OnDamage, Provider};

mod check;
mod credential_provider;
mod gates;
mod image_reference;
mod load;
mod pattern;
mod programs;
mod static_pod;
mod values;

pub use crate::problem::Problem;
pub use credential_provider::{CredentialProvider, Kubelet};
pub use gates::{GateSeverity, Gates};
pub use image_reference::{ImageReference, split_port};
pub use load::{ConfigError, RawDefinition, ReadError, Resolved, load, parse, resolve};
pub use pattern::matches;
pub use static_pod::check_static_pod;
pub use values::{is_name, is_sha256};
pub(crate) use values::{is_pod_name, is_port};

/// One image definition, after `extends` was resolved (tables merged, lists replaced).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Image name (`IMAGE_ID`): `[a-z0-9][a-z0-9-]*`, at most 32 bytes.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,31}$")))]
    pub name: String,
    /// Image version (`IMAGE_VERSION`), as UAPI.10 compares versions.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[0-9][0-9A-Za-z.+~^_-]{0,63}$")))]
    pub version: String,
    /// `x86_64` is the one that exists so far.
    pub architecture: Architecture,
    /// Sensitivity class of the workload that this image may run.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,31}$")))]
    pub class: String,
    /// Another definition that this one is laid over: `orlop:node`, or a path beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// `1.37` (newest patch release) or `1.37.2`.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[0-9]+(\\.[0-9]+){1,2}(-[0-9A-Za-z.-]+)?$")))]
    pub kubernetes: String,
    /// What a refusal does once the boot manifest is verified.
    #[serde(default)]
    pub refusal: Refusal,
    /// The kernel: which component carries it, its command line, its modules.
    pub kernel: Kernel,
    /// What the machine's firmware must do for this image, and which keys it trusts beside those that sign it.
    #[serde(default)]
    pub trust: Trust,
    /// The component whose files hold systemd's UKI stub; it installs nothing into the root.
    #[serde(default = "stub")]
    pub stub: String,
    /// Component name → component.
    pub components: BTreeMap<String, Component>,
    /// Sizes of the partitions.
    #[serde(default)]
    pub partitions: Partitions,
    /// Limits that fail the build.
    pub budgets: Budgets,
    /// What of a scan fails.
    #[serde(default, skip_serializing_if = "Gates::is_default")]
    pub gates: Gates,
    /// EROFS parameters.
    #[serde(default)]
    pub erofs: Erofs,
    /// Container images carried in the root and imported at boot: image name → what is in it.
    #[serde(default)]
    pub preload: BTreeMap<String, PreloadImage>,
    /// Static pods: name (`metadata.name`) → manifest file, beside the definition.
    #[serde(default)]
    pub static_pods: BTreeMap<String, String>,
    /// The state partition.
    #[serde(default)]
    pub state: State,
    /// What kubelet has beside its configuration.
    #[serde(default)]
    pub kubelet: Kubelet,
    /// The machine's own configuration; absent: the node needs none, and joins no cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_config: Option<NodeConfigTable>,
}

fn stub() -> String {
    "stub".into()
}

/// The chain of trust's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Trust {
    /// What the image asks of Secure Boot.
    pub secure_boot: SecureBoot,
    /// Further release keys (public, PEM) whose signatures the image accepts, beside the definition.
    pub release_keys: Vec<String>,
    /// Further certificates (PEM) that the firmware's db may hold, beside the definition.
    pub certificates: Vec<String>,
}

/// CPU architecture of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// The kernel of the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// The component whose files hold `boot/vmlinuz-*` and `usr/lib/modules/*`.
    pub component: String,
    /// Arguments of the kernel; the builder appends the final ` --`.
    pub command_line: Vec<String>,
    /// Modules by wave.
    pub modules: Modules,
}

/// Kernel modules by wave, without their dependencies (the builder closes the lists).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// In the initramfs and loaded there, all of them.
    pub boot: Vec<String>,
    /// In the initramfs, loaded there when a device's modalias asks for them (disk drivers).
    pub boot_by_alias: Vec<String>,
    /// In the root, loaded before kubelet starts.
    pub early: Vec<String>,
    /// In the root, loaded once the static pods run.
    pub always: Vec<String>,
    /// In the root, loaded beside containerd and kubelet when a device's modalias asks for them.
    pub by_alias: Vec<String>,
}

/// One upstream thing with its files in the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Where it comes from.
    pub source: Source,
    /// Path in the root → path in what the source yields. A key that ends in `/` takes a whole folder. A pattern
    /// on the right (`*` within a name) makes one file: everything that matches, in the order of the paths' bytes.
    #[serde(default)]
    pub install: BTreeMap<String, String>,
    /// Symbolic links: path in the root → (relative) target.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Patterns (`*` within a name, `**` across folders) of every path that this component may put into the root.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Modes that differ from 0755 for ELF files and 0644 for others: path in the root → octal text.
    #[serde(default)]
    pub modes: BTreeMap<String, String>,
}

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A package of a signed apt archive.
    Deb(DebSource),
    /// Go modules, built from source.
    Go(GoSource),
    /// A release file by SHA-256.
    Url(UrlSource),
    /// A crate of this repository.
    Workspace(WorkspaceSource),
    /// Files beside the definition.
    File(FileSource),
    /// A container image of a registry, for a preload.
    Oci(OciSource),
}

/// A package of a signed apt archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DebSource {
    /// Binary package; a meta package is followed by `follow`.
    pub package: String,
    /// Suite by code name; its `-updates` and `-security` are looked at too.
    #[serde(default = "default_suite")]
    pub suite: String,
    /// Take the package whose name starts with this among the dependencies of `package` instead
    /// (the kernel's meta package → the kernel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<String>,
}

fn default_suite() -> String {
    "trixie".into()
}

/// Go commands built from source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GoSource {
    /// Module path.
    pub module: String,
    /// `2.3` (newest patch release) or `2.3.7`; absent for Kubernetes itself, whose version the definition names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Packages of commands, relative to the module (`cmd/kubelet`). Each yields a file named as its last part; `.`
    /// is the module itself, and yields a file named as the module (`github.com/opencontainers/runc` → `runc`).
    pub commands: Vec<String>,
    /// The commands are the packages' tests: each yields a file named as its last part and `.test`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
    /// Build tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Linker `-X` settings; `{version}` stands for the version without its `v`.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Compile with cgo, the locked C compiler and these locked static libraries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgo: Option<Cgo>,
}

/// What is the default is not written, so that lockfiles of before it was there stay good.
fn is_false(value: &bool) -> bool {
    !value
}

/// What a cgo build links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cgo {
    /// Static C libraries; `libseccomp` is the one that exists.
    pub libraries: Vec<String>,
}

/// A release file by SHA-256.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UrlSource {
    /// Where it is; `http` and `https`.
    pub url: String,
    /// Its SHA-256, lowercase hex.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[0-9a-f]{64}$")))]
    pub sha256: String,
    /// What it is called and described as in reports.
    pub version: String,
    /// Unpack a `.tar`, `.tar.gz`, `.tar.xz` or `.tar.zst`; else it is one file named as the URL's last part.
    #[serde(default)]
    pub unpack: bool,
}

/// A crate of Orlop's own repository, built for the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSource {
    /// Package name of the crate; yields a file named as the binary.
    pub package: String,
}

/// Files of the user, beside the definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// A file or a folder, relative to the definition that names it.
    pub path: String,
    /// Version for reports.
    #[serde(default = "unversioned")]
    pub version: String,
}

/// A container image of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OciSource {
    /// `HOST/REPOSITORY[:TAG]@sha256:DIGEST` of its manifest, or of an index that names it.
    pub reference: String,
}

fn unversioned() -> String {
    "0".into()
}

/// The least state partition: that of the filesystem that a first boot puts there, which then grows.
pub const LEAST_STATE_MIB: u64 = 256;

/// Sizes in MiB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Partitions {
    /// EFI system partition.
    pub esp_mib: u64,
    /// Root partition of each slot; absent: twice the root, rounded up to 16 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_mib: Option<u64>,
    /// State partition in the image, before it grows.
    pub state_mib: u64,
}

impl Default for Partitions {
    fn default() -> Self {
        Partitions { esp_mib: 256, root_mib: None, state_mib: 512 }
    }
}

/// The most that each number of the image's surface may be: over it, the build fails. `None`: as many as there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Bytes of the root image.
    pub root_bytes: u64,
    /// Files in the root.
    pub files: u64,
    /// Files with an execute bit.
    pub executables: u64,
    /// Setuid or setgid files.
    #[serde(default)]
    pub setuid: u64,
    /// Files that give capabilities to who runs them.
    #[serde(default)]
    pub capabilities: u64,
    /// Files that start with `#!`, programs that want a loader, and known interpreters.
    #[serde(default)]
    pub interpreters: u64,
    /// Kernel modules, in the root or the initramfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<u64>,
    /// Bytes of the UKI, without its signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uki_bytes: Option<u64>,
    /// Bytes of PID 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_bytes: Option<u64>,
    /// Lines of PID 1's own source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_lines: Option<u64>,
    /// Sockets that listen on the host, in a boot that was looked at (`orlop surface --boot`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listeners: Option<u64>,
    /// Programs that run on the host outside of pods, in a boot that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

impl Budgets {
    /// Those of what is no image.
    pub const NOTHING: Budgets = Budgets {
        root_bytes: 0,
        files: 0,
        executables: 0,
        setuid: 0,
        capabilities: 0,
        interpreters: 0,
        modules: None,
        uki_bytes: None,
        init_bytes: None,
        init_lines: None,
        listeners: None,
        processes: None,
    };
}

/// EROFS parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Erofs {
    /// As `mkfs.erofs -z` takes it.
    pub compression: String,
    /// As `mkfs.erofs -C` takes it, in KiB.
    pub cluster_kib: u32,
}

impl Default for Erofs {
    fn default() -> Self {
        Erofs { compression: "zstd,3".into(), cluster_kib: 64 }
    }
}

/// A container image that the builder makes out of one component's files, or that a component brings whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PreloadImage {
    /// Component whose files the image's one layer holds; or one whose source is `oci`, which brings all of it.
    pub component: String,
    /// Path in the image → path in what the component yields.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Entry point.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// `uid:gid` that the process runs as; absent: `65535:65535`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl PreloadImage {
    /// The user of an image that names none.
    pub const NOBODY: &'static str = "65535:65535";

    /// `uid:gid` that the process runs as.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(Self::NOBODY)
    }
}

/// The state partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// What happens to a filesystem that does not mount.
    pub on_damage: OnDamage,
}

/// Who may give the machine's own configuration, and what it may bring. Its image joins a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeConfigTable {
    /// In the order in which they are asked; one where the machine's kind is known.
    pub providers: Vec<Provider>,
    /// What it may bring beyond the node's own settings.
    #[serde(default)]
    pub allow: Vec<Allowance>,
    /// What the host's firewall lets in.
    #[serde(default, skip_serializing_if = "Openings::is_none")]
    pub firewall: Openings,
}
