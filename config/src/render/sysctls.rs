//! Sysctls that PID 1 sets and reads back; one that does not hold stops the boot.

use crate::definition::Definition;

/// What kubelet demands under `protectKernelDefaults`, or it ends.
const KUBELET: &[(&str, &str)] = &[
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
];

/// Room for many pods: each container's runtime and each log reader takes an inotify instance.
const PODS: &[(&str, &str)] = &[("fs.inotify.max_user_instances", "8192"), ("fs.inotify.max_user_watches", "524288")];

/// The class whose workloads do without `io_uring`.
const RESTRICTED: &str = "restricted";

/// Hardening (docs/node.md, "Sysctls and capabilities"). Left out on purpose: `kernel.modules_disabled`, which comes last, after the module
/// waves; `vm.mmap_rnd_compat_bits`, which `ia32_emulation=0` removes; `user.max_user_namespaces`, which the kernel
/// sizes by the memory, and `hostUsers: false` needs; `net.*.forwarding`, which CNI sets.
const HARDENING: &[(&str, &str)] = &[
    ("kernel.kptr_restrict", "2"),
    ("kernel.dmesg_restrict", "1"),
    ("kernel.perf_event_paranoid", "3"),
    ("kernel.kexec_load_disabled", "1"),
    ("kernel.randomize_va_space", "2"),
    ("kernel.yama.ptrace_scope", "2"),
    ("kernel.unprivileged_bpf_disabled", "1"),
    ("kernel.unprivileged_userns_clone", "0"),
    ("kernel.sysrq", "0"),
    // Programs that the kernel starts by itself, as root and outside of every pod: none but `/sbin/poweroff` and
    // `/sbin/reboot`, which tell PID 1. A dump of memory is a file where its process works, and whatever a pod puts in
    // their place has no capability. The sets can only shrink.
    ("kernel.modprobe", ""),
    ("kernel.core_pattern", "core"),
    ("kernel.usermodehelper.bset", "0 0"),
    ("kernel.usermodehelper.inheritable", "0 0"),
    ("kernel.oops_limit", "100"),
    ("kernel.warn_limit", "100"),
    ("dev.tty.ldisc_autoload", "0"),
    ("dev.tty.legacy_tiocsti", "0"),
    ("net.core.bpf_jit_harden", "2"),
    ("vm.unprivileged_userfaultfd", "0"),
    ("vm.mmap_min_addr", "65536"),
    ("vm.mmap_rnd_bits", "32"),
    ("fs.protected_symlinks", "1"),
    ("fs.protected_hardlinks", "1"),
    ("fs.protected_fifos", "2"),
    ("fs.protected_regular", "2"),
    ("fs.suid_dumpable", "0"),
    ("net.ipv4.icmp_ignore_bogus_error_responses", "1"),
    ("net.ipv4.icmp_echo_ignore_broadcasts", "1"),
    ("net.ipv4.tcp_syncookies", "1"),
];

/// The same for all interfaces, and for those that come later. `accept_ra` is 0 but for the cards on which
/// `orlop-net` sets it, because the node config lets them take a router's word.
const PER_INTERFACE: &[(&str, &str, &str)] = &[
    ("net.ipv4.conf", "accept_redirects", "0"),
    ("net.ipv6.conf", "accept_redirects", "0"),
    ("net.ipv4.conf", "secure_redirects", "0"),
    ("net.ipv4.conf", "send_redirects", "0"),
    ("net.ipv4.conf", "accept_source_route", "0"),
    ("net.ipv6.conf", "accept_source_route", "0"),
    ("net.ipv6.conf", "accept_ra", "0"),
];

/// All sysctls in the order in which they are set.
pub fn sysctls(definition: &Definition) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [KUBELET, PODS, HARDENING].concat().into_iter().map(owned).collect();
    // 1 keeps it from unprivileged processes; 2 from all, which PostgreSQL 18 would feel.
    let io_uring = if definition.class == RESTRICTED { "2" } else { "1" };
    all.push(owned(("kernel.io_uring_disabled", io_uring)));
    // The switch exists only where AppArmor runs.
    let lsm = definition.kernel.command_line.iter().find_map(|argument| argument.strip_prefix("lsm="));
    if lsm.is_some_and(|list| list.split(',').any(|name| name == "apparmor")) {
        all.push(owned(("kernel.apparmor_restrict_unprivileged_unconfined", "1")));
    }
    for (tree, name, value) in PER_INTERFACE {
        for interface in ["all", "default"] {
            all.push((format!("{tree}.{interface}.{name}"), value.to_string()));
        }
    }
    all
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.into(), value.into())
}
