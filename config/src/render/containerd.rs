//! containerd's configuration (its `docs/cri/config.md` says what each key does).

use super::SANDBOX_IMAGE;

/// `/etc/containerd/config.toml`, version 4 of its format, containerd 2.3's: an older one would be migrated at each
/// start.
///
/// No image verifier is configured, because none exists yet, and its plugin is off: it would let everything
/// pass that a missing folder does not object to. NRI is off: its socket and plugin folder run code.
///
/// containerd's default is to ask every shim once a second what its pod has used, which kubelet does not want to know from
/// it (it reads the cgroups itself, every ten seconds): on a node without work most of its time went there
/// (docs/performance.md).
pub fn containerd() -> String {
    CONFIG.replace("@SANDBOX@", SANDBOX_IMAGE)
}

const CONFIG: &str = r#"version = 4
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = -999
imports = []
required_plugins = ["io.containerd.grpc.v1.cri"]
disabled_plugins = [
  "io.containerd.image-verifier.v1.bindir",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.monitor.container.v1.restart",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "@SANDBOX@"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  enable_selinux = false
  disable_apparmor = true
  unset_seccomp_profile = "runtime/default"
  enable_unprivileged_ports = false
  enable_unprivileged_icmp = false
  netns_mounts_under_state_dir = true
  enable_criu = false
  stats_collect_period = "60s"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "/usr/bin/runc"
        SystemdCgroup = false
        ShimCgroup = "/podruntime/shim"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/libexec/cni", "/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
    use_internal_loopback = true

[plugins."io.containerd.nri.v1.nri"]
  disable = true
"#;
