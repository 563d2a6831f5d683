//! Node settings: what PID 1 needs to know of the image, rendered by the builder into the verified root
//! (`/usr/share/orlop/node.json`), and the module lists (`modules.json` in initramfs and root).

use serde::{Deserialize, Serialize};

use crate::firewall::Openings;

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
/// The flaws that the kernel package's changelog names as fixed. The node does not read it: who scans the image does.
pub const FIXED: &str = "/usr/share/orlop/fixed.json";

/// The signed IPE policy in the root: PKCS#7 around the policy's text, by the db key.
pub const IPE_POLICY: &str = "/usr/share/orlop/ipe/orlop_node.p7b";
/// The policy's name, as in its text and below `/sys/kernel/security/ipe/policies`.
pub const IPE_POLICY_NAME: &str = "orlop_node";

/// containerd's socket.
pub const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// Where kubelet looks for its container runtime: a link of PID 1's, to [`CONTAINERD_SOCKET`] once containerd has the
/// images of the preload.
pub const CRI_SOCKET: &str = "/run/orlop/cri.sock";

/// In the environment of a program whose standard output PID 1 reads: `orlop-net`'s, until there is a node config, and
/// `orlop-logind`'s, which is one of a pair of sockets (`node/logind/src/order.rs` has the word once more).
pub const READS_STDOUT: &str = "ORLOP_READS_STDOUT";
/// Folder of `orlop-net`: [`RESOLV_CONF`], leases, the node config once it is taken.
pub const NET_FOLDER: &str = "/run/orlop/net";
/// Name servers and search domains, in [`NET_FOLDER`].
pub const RESOLV_CONF: &str = "resolv.conf";
/// Configuration of the programs that kubelet asks for credentials. Not below `/etc/kubernetes`, which a cluster's node
/// covers at boot.
pub const CREDENTIAL_PROVIDERS: &str = "/usr/share/orlop/credential-providers.json";
/// Folder of links to those programs, each called by its provider's name.
pub const CREDENTIAL_PROGRAMS: &str = "/usr/libexec/orlop/credential-providers";
/// kubelet's client certificate with its key: of an earlier boot, or renewed since.
pub const KUBELET_CERTIFICATE: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";

/// In the environment of `orlop-net` where kubelet has that certificate: it does not look at the state partition itself.
pub const HAS_CERTIFICATE: &str = "ORLOP_HAS_CERTIFICATE";

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Where the machine's own configuration may come from; absent: there is none, and no cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_config: Option<NodeConfigPolicy>,
}

/// What the signed image says of the node config, which nobody signs: who may give it, and what it may bring.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfigPolicy {
    /// The image's class: a document that asks for another one is refused. Empty where no image is at hand: any.
    pub class: String,
    /// Who may give it, in the order in which they are asked.
    pub providers: Vec<Provider>,
    /// What it may bring beyond the node's own settings.
    pub allow: Vec<Allowance>,
    /// The image's own static pods, whose names are taken.
    pub static_pods: Vec<String>,
    /// What the host's firewall lets in.
    #[serde(default, skip_serializing_if = "Openings::is_none")]
    pub firewall: Openings,
    /// Repositories of the image's own container images that are named after a registry: pods run them without its
    /// credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preload: Vec<String>,
    /// Not the image's but the machine's: it has the certificate of an earlier boot ([`KUBELET_CERTIFICATE`]), so that the
    /// document needs to bring no right to join.
    #[serde(skip)]
    pub has_certificate: bool,
}

impl NodeConfigPolicy {
    /// Whether the document may bring this.
    pub fn allows(&self, what: Allowance) -> bool {
        self.allow.contains(&what)
    }
}

/// Who may give the node config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// QEMU: `-fw_cfg name=opt/orlop/config,file=…`.
    FwCfg,
    /// SMBIOS type 11, OEM strings.
    Smbios,
    /// A volume labelled `cidata`, VFAT or ISO 9660.
    Nocloud,
    /// A file on the EFI system partition.
    Esp,
    /// EC2's metadata, version 2.
    Ec2,
    /// Google's metadata.
    Gce,
    /// Azure's metadata.
    Azure,
}

impl Provider {
    /// Its name, as definition and documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Provider::FwCfg => "fw_cfg",
            Provider::Smbios => "smbios",
            Provider::Nocloud => "nocloud",
            Provider::Esp => "esp",
            Provider::Ec2 => "ec2",
            Provider::Gce => "gce",
            Provider::Azure => "azure",
        }
    }
}

/// What a node config may bring only if the signed image allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// Pods that run without a cluster's word.
    StaticPods,
    /// Certificates that containerd and kubelet trust beside the root's bundle.
    ExtraCas,
    /// Other places to pull images from.
    RegistryMirrors,
    /// Such places without TLS.
    PlainHttpMirrors,
}

impl Allowance {
    /// Its name, as the definition writes it.
    pub fn name(self) -> &'static str {
        match self {
            Allowance::StaticPods => "static-pods",
            Allowance::ExtraCas => "extra-cas",
            Allowance::RegistryMirrors => "registry-mirrors",
            Allowance::PlainHttpMirrors => "plain-http-mirrors",
        }
    }
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

    #[test]
    fn names_are_those_that_are_written() {
        use Provider::{Azure, Ec2, Esp, FwCfg, Gce, Nocloud, Smbios};
        for provider in [FwCfg, Smbios, Nocloud, Esp, Ec2, Gce, Azure] {
            assert_eq!(serde_json::to_value(provider).expect("a string"), provider.name());
        }
        use Allowance::{ExtraCas, PlainHttpMirrors, RegistryMirrors, StaticPods};
        for allowance in [StaticPods, ExtraCas, RegistryMirrors, PlainHttpMirrors] {
            assert_eq!(serde_json::to_value(allowance).expect("a string"), allowance.name());
        }
    }
}
