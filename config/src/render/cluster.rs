//! What a node of a cluster gets at each boot, from its node config: files on tmpfs, arguments, environment, sysctls.
//! Pure: PID 1 writes and sets it, `orlop config render` shows it.

mod environment;
mod host;
mod kubeconfig;
mod kubelet;
mod registries;
mod widest;

use std::net::IpAddr;

use crate::node::{NodeSettings, STATIC_PODS};
use crate::node_config::{NodeConfig, pem};

/// Folders of the root that PID 1 mounts a tmpfs over before it writes the files: what kubelet and containerd believe
/// lies under the paths that tools expect, and never on the state partition.
pub const TMPFS_FOLDERS: [&str; 2] = ["/etc/kubernetes", CERTS_D];

/// Where containerd looks for what it is told of registries.
const CERTS_D: &str = "/etc/containerd/certs.d";
/// Further certificates that Go programs load, a file each.
const EXTRA_CAS: &str = "/run/orlop/config/ca";
/// The cluster's CA, for the API server and for who calls kubelet.
const CLUSTER_CA: &str = "/etc/kubernetes/pki/ca.crt";
/// By it kubelet asks for its certificate. It writes [`KUBECONFIG`] itself then.
const BOOTSTRAP_KUBECONFIG: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
/// By it kubelet talks to the API server.
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";

/// What only the running machine knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The host name that a document without one leaves to the machine.
    pub hostname: String,
    /// The machine's addresses, where it has no default route of either family; else none. By a default route kubelet finds
    /// the node's address itself, and follows a lease that brings another. Of addresses under the host's name it takes the
    /// first of IPv4 that a card has, else the first of IPv6.
    pub addresses: Vec<IpAddr>,
}

/// What a node of a cluster gets at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// For `sethostname`.
    pub hostname: String,
    /// In the order in which they are written.
    pub files: Vec<RenderedFile>,
    /// kubelet's arguments, the program first.
    pub kubelet: Vec<String>,
    /// Environment of containerd and kubelet, beside what PID 1 gives them.
    pub environment: Vec<(String, String)>,
    /// Sysctls to be set after the image's own, in order.
    pub sysctls: Vec<(String, String)>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Absolute; its folders are made, mode 0755.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl RenderedFile {
    /// A file that root alone may read.
    fn secret(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        RenderedFile { path: path.into(), mode: 0o600, bytes: text.into() }
    }

    /// A file that everybody may read.
    fn public(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        RenderedFile { path: path.into(), mode: 0o644, bytes: text.into() }
    }
}

/// What a node of a cluster gets, of its image's settings, its node config and what the machine knows of itself.
pub fn cluster(settings: &NodeSettings, config: &NodeConfig, facts: &Facts) -> Rendered {
    let hostname = config.hostname.clone().unwrap_or_else(|| facts.hostname.clone());
    let mut files = vec![
        RenderedFile::public("/run/etc/hostname", format!("{hostname}\n")),
        RenderedFile::public("/run/etc/hosts", host::hosts(&hostname, config, facts)),
        RenderedFile::public(CLUSTER_CA, pem::normalised(&config.cluster.ca)),
        RenderedFile::secret(super::KUBELET_CONFIG, kubelet::config(settings, config)),
        kubeconfig::file(&config.cluster),
    ];
    files.extend(registries::files(&config.registries));
    let extra = (1..).zip(&config.extra_cas);
    let extra = extra.map(|(number, ca)| (format!("{EXTRA_CAS}/{number}.crt"), pem::normalised(ca)));
    files.extend(extra.map(|(path, ca)| RenderedFile::public(path, ca)));
    let pods = config.static_pods.iter();
    files.extend(pods.map(|(name, text)| RenderedFile::secret(format!("{STATIC_PODS}/{name}.yaml"), text.as_str())));
    Rendered {
        hostname,
        files,
        kubelet: kubelet::arguments(settings, config),
        environment: environment::environment(config),
        sysctls: host::sysctls(config),
    }
}

/// kubelet's configuration with every key that a node config can bring into it.
pub(super) fn widest_kubelet(settings: &NodeSettings) -> String {
    kubelet::config(settings, &widest::node_config())
}

/// Text in quotes, as YAML, TOML and JSON all read it. What is quoted here has no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
