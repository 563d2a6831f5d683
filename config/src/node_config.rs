//! The node config: what one machine is told at boot, by whom the signed image allows to (`docs/node-config.md`).
//!
//! Nobody signs it. The same code reads it in `orlop config check`, in `orlop-net` and in PID 1.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use crate::firewall::{self, Openings, Rule};

mod check;
mod expiry;
mod load;
mod nesting;
mod network;
pub(crate) mod pem;
mod read;
mod remedy;
mod scalar;

pub use check::{KUBELET_RANGES, SYSCTLS, SysctlRule};
pub use load::Problems;
pub use network::{Cidr, Interface, Ipv4Method, Ipv6Method, Mac, Network, Route};
pub use scalar::{Secret, SysctlValue};

/// The one version of the document.
pub const VERSION: u32 = 1;
/// The most bytes that a document may have.
pub const LARGEST: usize = 64 * 1024;
/// The most search domains of a host, by kubelet's limits for pods.
pub const MOST_SEARCH_DOMAINS: usize = 32;
/// The most bytes of all of them together, each with the space before it.
pub const LONGEST_SEARCH_LIST: usize = 2048;

/// What one machine is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Format version: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub version: u32,
    /// The class that the image must have.
    pub class: Option<String>,
    /// Host name, and the node's name; absent: `orlop-` and eight digits of the machine id.
    pub hostname: Option<String>,
    /// Interfaces and name servers; empty: DHCP and router advertisements on every Ethernet interface.
    #[serde(default)]
    pub network: Network,
    /// Where the time comes from.
    #[serde(default)]
    pub time: Time,
    /// How containerd and kubelet reach what is outside.
    #[serde(default)]
    pub proxy: Proxy,
    /// The cluster to join.
    pub cluster: Cluster,
    /// Labels that the node registers with.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints that the node registers with.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// kubelet's settings.
    #[serde(default)]
    pub kubelet: Kubelet,
    /// Registry as images name it (`docker.io`, `registry.example:5000`, `*` for all others) → how to pull from it.
    #[serde(default)]
    pub registries: BTreeMap<String, Registry>,
    /// Certificates (PEM) that containerd and kubelet trust beside the root's bundle.
    #[serde(default)]
    pub extra_cas: Vec<String>,
    /// Static pods: name → manifest.
    #[serde(default)]
    pub static_pods: BTreeMap<String, String>,
    /// Sysctls: name → value, of those that a node config may set.
    #[serde(default)]
    pub sysctls: BTreeMap<String, SysctlValue>,
}

impl NodeConfig {
    /// The rules of the host's firewall, on an image that opens these ports.
    pub fn firewall(&self, openings: &Openings) -> Vec<Rule> {
        let cluster: Vec<_> = self.cluster.networks.iter().map(|one| (one.address, one.prefix)).collect();
        firewall::joined(openings, &cluster)
    }

    /// The same with a mask over every secret: what may be shown.
    pub fn masked(mut self) -> Self {
        scalar::mask(&mut self);
        self
    }
}

/// Where the time comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// NTP servers, names or addresses; empty: those that DHCP names.
    pub servers: Vec<String>,
}

/// How containerd and kubelet reach what is outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// For `http` addresses: `http://[user:password@]host:port`.
    pub http: Option<Secret>,
    /// For `https` addresses.
    pub https: Option<Secret>,
    /// What is reached without it: names, `.domains`, addresses, networks.
    pub exceptions: Vec<String>,
}

/// The cluster to join.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The API server: `https://HOST[:PORT]`.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^https://[^/@?#]+$")))]
    pub server: String,
    /// Certificates (PEM) that its certificate is checked against.
    pub ca: String,
    /// Bootstrap token, `[a-z0-9]{6}.[a-z0-9]{16}`.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9]{6}\\.[a-z0-9]{16}$")))]
    pub token: Option<Secret>,
    /// In place of a token: a client certificate (PEM) of `system:node:HOSTNAME`.
    pub client_certificate: Option<String>,
    /// Its key (PEM).
    pub client_key: Option<Secret>,
    /// From where kubelet may be reached, and what the definition opens to the cluster; empty: kubelet from everywhere.
    #[serde(default)]
    pub networks: Vec<Cidr>,
    /// Addresses of the cluster's DNS service.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
    /// The cluster's domain.
    #[serde(default = "cluster_domain")]
    pub domain: String,
}

fn cluster_domain() -> String {
    "cluster.local".into()
}

/// A taint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// Key, as labels have it.
    pub key: String,
    /// Value, as labels have it.
    #[serde(default)]
    pub value: String,
    /// What it does to pods that do not tolerate it.
    pub effect: Effect,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Effect {
    /// Such pods are not placed here.
    NoSchedule,
    /// They are placed here last.
    PreferNoSchedule,
    /// They are not placed here, and those that run are evicted.
    NoExecute,
}

impl Effect {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
        }
    }
}

/// kubelet's settings that are safe to change, each within its range.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Kubelet {
    /// `maxPods`.
    pub max_pods: u64,
    /// `podPidsLimit`.
    pub pod_pids_limit: u64,
    /// `maxParallelImagePulls`.
    pub max_parallel_image_pulls: u64,
    /// `containerLogMaxSize`, in MiB.
    pub container_log_max_size_mib: u64,
    /// `containerLogMaxFiles`.
    pub container_log_max_files: u64,
    /// `imageGCHighThresholdPercent`.
    pub image_gc_high_percent: u64,
    /// `imageGCLowThresholdPercent`.
    pub image_gc_low_percent: u64,
    /// `shutdownGracePeriod`, in seconds: all pods together.
    pub shutdown_grace_period_seconds: u64,
    /// `shutdownGracePeriodCriticalPods`, in seconds: the part of it that critical pods have to themselves.
    pub shutdown_grace_period_critical_pods_seconds: u64,
    /// `kubeReserved`: for kubelet and containerd.
    pub kube_reserved: KubeReserved,
    /// `systemReserved`: for all else.
    pub system_reserved: SystemReserved,
    /// `evictionHard`.
    pub eviction: Eviction,
}

impl Default for Kubelet {
    fn default() -> Self {
        Kubelet {
            max_pods: 110,
            pod_pids_limit: 4096,
            max_parallel_image_pulls: 5,
            container_log_max_size_mib: 10,
            container_log_max_files: 5,
            image_gc_high_percent: 85,
            image_gc_low_percent: 80,
            shutdown_grace_period_seconds: 30,
            shutdown_grace_period_critical_pods_seconds: 10,
            kube_reserved: KubeReserved::default(),
            system_reserved: SystemReserved::default(),
            eviction: Eviction::default(),
        }
    }
}

/// What kubelet and containerd have to themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct KubeReserved {
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Of the state partition, in MiB. kubelet does not start where it has less.
    pub ephemeral_storage_mib: u64,
}

impl Default for KubeReserved {
    fn default() -> Self {
        KubeReserved { cpu_millis: 100, memory_mib: 256, ephemeral_storage_mib: 256 }
    }
}

/// What the rest of the host has to itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SystemReserved {
    /// Thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Default for SystemReserved {
    fn default() -> Self {
        SystemReserved { cpu_millis: 100, memory_mib: 128 }
    }
}

/// Below what kubelet evicts pods.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Eviction {
    /// `memory.available`, in MiB.
    pub memory_available_mib: u64,
    /// `nodefs.available`.
    pub nodefs_available_percent: u64,
    /// `nodefs.inodesFree`.
    pub nodefs_inodes_free_percent: u64,
    /// `imagefs.available`.
    pub imagefs_available_percent: u64,
    /// `imagefs.inodesFree`.
    pub imagefs_inodes_free_percent: u64,
}

impl Default for Eviction {
    fn default() -> Self {
        Eviction {
            memory_available_mib: 100,
            nodefs_available_percent: 10,
            nodefs_inodes_free_percent: 5,
            imagefs_available_percent: 15,
            imagefs_inodes_free_percent: 5,
        }
    }
}

/// How to pull from one registry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// Asked before it, in order.
    pub mirrors: Vec<Mirror>,
    /// Certificates (PEM) that its certificate is checked against, beside the bundle.
    pub ca: Option<String>,
    /// Who pulls.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<Secret>,
}

/// Another place that has a registry's images.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// `https://HOST[:PORT][/PATH]`.
    pub url: String,
    /// Lets `url` begin with `http://`.
    #[serde(default)]
    pub insecure: bool,
    /// Certificates (PEM) that its certificate is checked against, beside the bundle.
    pub ca: Option<String>,
    /// Who pulls.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<Secret>,
}
