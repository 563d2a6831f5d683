//! kubelet's configuration and arguments (docs/node-config.md, `[kubelet]`; CIS Kubernetes Benchmark 4.2).

use std::fmt::Write as _;

use super::{BOOTSTRAP_KUBECONFIG, CLUSTER_CA, KUBECONFIG, host, quoted};
use crate::node::NodeSettings;
use crate::node_config::NodeConfig;

/// kubelet's arguments. `--hostname-override` is not among them (CIS 4.2.7): the host has the name.
pub(super) fn arguments(settings: &NodeSettings, config: &NodeConfig) -> Vec<String> {
    let mut arguments = settings.kubelet.clone();
    arguments.push(format!("--kubeconfig={KUBECONFIG}"));
    if config.cluster.token.is_some() || config.cluster.client_certificate.is_some() {
        arguments.push(format!("--bootstrap-kubeconfig={BOOTSTRAP_KUBECONFIG}"));
    }
    // What the network gives may change, and kubelet finds it by itself.
    let addresses: Vec<String> = host::static_addresses(config).iter().map(ToString::to_string).collect();
    if !addresses.is_empty() {
        arguments.push(format!("--node-ip={}", addresses.join(",")));
    }
    if !config.labels.is_empty() {
        let labels: Vec<String> = config.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        arguments.push(format!("--node-labels={}", labels.join(",")));
    }
    arguments
}

/// kubelet's configuration file. Requests are authenticated and authorised by the cluster; an image of the root counts
/// as one that anybody may use, and any other that kubelet did not pull itself does not.
pub(super) fn config(settings: &NodeSettings, config: &NodeConfig) -> String {
    let mut text = super::super::kubelet::always() + &JOINED.replace("@CA@", CLUSTER_CA);
    // Images of the root that are named after a registry.
    let preload = settings.node_config.iter().flat_map(|policy| &policy.preload);
    preload.for_each(|repository| text.push_str(&format!("  - {}\n", quoted(repository))));
    let cluster = &config.cluster;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "clusterDomain: {}", quoted(&cluster.domain));
    if !cluster.dns.is_empty() {
        text.push_str("clusterDNS:\n");
        cluster.dns.iter().for_each(|address| text.push_str(&format!("  - {}\n", quoted(&address.to_string()))));
    }
    if !config.taints.is_empty() {
        text.push_str("registerWithTaints:\n");
    }
    for taint in &config.taints {
        let (key, value, effect) = (quoted(&taint.key), quoted(&taint.value), taint.effect.name());
        let _ = writeln!(text, "  - key: {key}\n    value: {value}\n    effect: {effect}");
    }
    text.push_str(&changeable(config));
    text
}

/// What the node config may change.
fn changeable(config: &NodeConfig) -> String {
    let kubelet = &config.kubelet;
    let (kube, system, eviction) = (&kubelet.kube_reserved, &kubelet.system_reserved, &kubelet.eviction);
    format!(
        "maxPods: {}
podPidsLimit: {}
maxParallelImagePulls: {}
containerLogMaxSize: {}Mi
containerLogMaxFiles: {}
imageGCHighThresholdPercent: {}
imageGCLowThresholdPercent: {}
shutdownGracePeriod: {}s
shutdownGracePeriodCriticalPods: {}s
kubeReserved:
  cpu: {}m
  memory: {}Mi
  ephemeral-storage: {}Mi
  pid: \"1000\"
systemReserved:
  cpu: {}m
  memory: {}Mi
  pid: \"1000\"
evictionHard:
  memory.available: {}Mi
  nodefs.available: {}%
  nodefs.inodesFree: {}%
  imagefs.available: {}%
  imagefs.inodesFree: {}%
",
        kubelet.max_pods,
        kubelet.pod_pids_limit,
        kubelet.max_parallel_image_pulls,
        kubelet.container_log_max_size_mib,
        kubelet.container_log_max_files,
        kubelet.image_gc_high_percent,
        kubelet.image_gc_low_percent,
        kubelet.shutdown_grace_period_seconds,
        kubelet.shutdown_grace_period_critical_pods_seconds,
        kube.cpu_millis,
        kube.memory_mib,
        kube.ephemeral_storage_mib,
        system.cpu_millis,
        system.memory_mib,
        eviction.memory_available_mib,
        eviction.nodefs_available_percent,
        eviction.nodefs_inodes_free_percent,
        eviction.imagefs_available_percent,
        eviction.imagefs_inodes_free_percent,
    )
}

/// With TLS 1.3 the list of ciphers says nothing to kubelet; CIS 4.2.12 reads it.
const JOINED: &str = r#"authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
  x509:
    clientCAFile: @CA@
authorization:
  mode: Webhook
enableServer: true
rotateCertificates: true
tlsMinVersion: VersionTLS13
tlsCipherSuites:
  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
streamingConnectionIdleTimeout: 5m
eventRecordQPS: 50
enableSystemLogHandler: true
enableSystemLogQuery: true
imagePullCredentialsVerificationPolicy: NeverVerifyAllowlistedImages
preloadedImagesVerificationAllowlist:
  - localhost/*
"#;
