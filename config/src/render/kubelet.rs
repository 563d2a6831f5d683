//! kubelet's configuration (`KubeletConfiguration` of `kubelet.config.k8s.io/v1beta1`): what holds on every node, and what a node without a cluster adds.

mod keys;

pub use keys::kubelet_keys;

use super::POD_NETWORK;
use crate::node::{CRI_SOCKET, STATIC_PODS};

/// `/etc/kubernetes/kubelet.yaml` of a node without a cluster. kubelet ignores a misspelt key with one line in its log, so
/// the builder holds every key against the types of the kubelet that it compiles ([`super::widest_kubelet`]).
///
/// Without a cluster nothing could authorise a request, so kubelet opens no server at all: only its health check,
/// on loopback. `serverTLSBootstrap` has it take a certificate of the cluster's or none. Else it would make itself two
/// RSA keys at its first start, seconds of a boot, and leave one on the state partition, for a server that is not there.
/// Disk limits are small shares, because the state partition starts at 512 MiB, and a node without a cluster has nowhere
/// else to run its pods.
pub fn kubelet() -> String {
    always() + &ALONE.replace("@NETWORK@", POD_NETWORK)
}

/// What the configuration begins with on every node.
pub(super) fn always() -> String {
    ALWAYS.replace("@SOCKET@", CRI_SOCKET).replace("@PODS@", STATIC_PODS)
}

const ALWAYS: &str = r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://@SOCKET@
staticPodPath: @PODS@
resolvConf: /etc/resolv.conf
serverTLSBootstrap: true
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
healthzPort: 10248
enableProfilingHandler: false
enableDebugFlagsHandler: false
makeIPTablesUtilChains: true
protectKernelDefaults: true
seccompDefault: true
failSwapOn: true
failCgroupV1: true
cgroupDriver: cgroupfs
cgroupRoot: /
kubeletCgroups: /podruntime/kubelet
serializeImagePulls: false
"#;

const ALONE: &str = r#"podCIDR: @NETWORK@
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: false
authorization:
  mode: AlwaysAllow
enableServer: false
podPidsLimit: 4096
kubeReserved:
  cpu: 100m
  memory: 128Mi
  pid: "1000"
systemReserved:
  cpu: 100m
  memory: 64Mi
  pid: "1000"
evictionHard:
  memory.available: 64Mi
  nodefs.available: 5%
  nodefs.inodesFree: 5%
  imagefs.available: 5%
  imagefs.inodesFree: 5%
imageGCHighThresholdPercent: 90
imageGCLowThresholdPercent: 80
containerLogMaxSize: 10Mi
containerLogMaxFiles: 3
"#;
