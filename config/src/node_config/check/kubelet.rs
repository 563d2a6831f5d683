//! kubelet's settings, each within its range.

use super::super::{Eviction, KubeReserved, Kubelet, SystemReserved};
use super::Report;

/// Keys below `[kubelet]`, least, most.
pub const KUBELET_RANGES: [(&str, u64, u64); 19] = [
    ("max_pods", 1, 500),
    ("pod_pids_limit", 64, 65_536),
    ("max_parallel_image_pulls", 1, 32),
    ("container_log_max_size_mib", 1, 1024),
    ("container_log_max_files", 2, 20),
    ("image_gc_high_percent", 10, 95),
    ("image_gc_low_percent", 5, 90),
    ("shutdown_grace_period_seconds", 10, 600),
    ("shutdown_grace_period_critical_pods_seconds", 5, 300),
    ("kube_reserved.cpu_millis", 50, 16_000),
    ("kube_reserved.memory_mib", 64, 65_536),
    ("kube_reserved.ephemeral_storage_mib", 0, 1_048_576),
    ("system_reserved.cpu_millis", 50, 16_000),
    ("system_reserved.memory_mib", 64, 65_536),
    ("eviction.memory_available_mib", 50, 65_536),
    ("eviction.nodefs_available_percent", 1, 50),
    ("eviction.nodefs_inodes_free_percent", 1, 50),
    ("eviction.imagefs_available_percent", 1, 50),
    ("eviction.imagefs_inodes_free_percent", 1, 50),
];

pub(super) fn check(kubelet: &Kubelet, report: &mut Report) {
    for ((key, least, most), value) in KUBELET_RANGES.into_iter().zip(values(kubelet)) {
        let path: Vec<&str> = std::iter::once("kubelet").chain(key.split('.')).collect();
        let next = format!("it takes {least} to {most}");
        report.expect((least..=most).contains(&value), &path, format!("{value} is out of range"), &next);
    }
    let (low, high) = (kubelet.image_gc_low_percent, kubelet.image_gc_high_percent);
    let message = format!("images are deleted from {high} % down to {low} %, which is not less");
    let next = "`image_gc_low_percent` is below `image_gc_high_percent`";
    report.expect(low < high, &["kubelet", "image_gc_low_percent"], message, next);
    let all = kubelet.shutdown_grace_period_seconds;
    let critical = kubelet.shutdown_grace_period_critical_pods_seconds;
    let message = format!("{critical} of {all} seconds are critical pods', and none are left");
    let next = "it is a part of `shutdown_grace_period_seconds`";
    report.expect(critical < all, &["kubelet", "shutdown_grace_period_critical_pods_seconds"], message, next);
}

/// In the order of [`KUBELET_RANGES`]. Taken apart by name: a key that has no range does not compile.
fn values(kubelet: &Kubelet) -> [u64; 19] {
    let Kubelet {
        max_pods,
        pod_pids_limit,
        max_parallel_image_pulls,
        container_log_max_size_mib,
        container_log_max_files,
        image_gc_high_percent,
        image_gc_low_percent,
        shutdown_grace_period_seconds,
        shutdown_grace_period_critical_pods_seconds,
        kube_reserved: KubeReserved { cpu_millis, memory_mib, ephemeral_storage_mib },
        system_reserved: SystemReserved { cpu_millis: system_cpu_millis, memory_mib: system_memory_mib },
        eviction,
    } = kubelet.clone();
    let Eviction {
        memory_available_mib,
        nodefs_available_percent,
        nodefs_inodes_free_percent,
        imagefs_available_percent,
        imagefs_inodes_free_percent,
    } = eviction;
    [
        max_pods,
        pod_pids_limit,
        max_parallel_image_pulls,
        container_log_max_size_mib,
        container_log_max_files,
        image_gc_high_percent,
        image_gc_low_percent,
        shutdown_grace_period_seconds,
        shutdown_grace_period_critical_pods_seconds,
        cpu_millis,
        memory_mib,
        ephemeral_storage_mib,
        system_cpu_millis,
        system_memory_mib,
        memory_available_mib,
        nodefs_available_percent,
        nodefs_inodes_free_percent,
        imagefs_available_percent,
        imagefs_inodes_free_percent,
    ]
}
