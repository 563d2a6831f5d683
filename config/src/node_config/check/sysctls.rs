//! Sysctls: those of the list, with numbers in their ranges. Hardening is not on it.

use super::super::NodeConfig;
use super::{Report, excerpt};
use crate::text::nearest;

/// What one sysctl may be: so many numbers, each from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysctlRule {
    /// Name with dots.
    pub name: &'static str,
    /// How many numbers.
    pub numbers: usize,
    /// The least that each may be.
    pub least: u64,
    /// The most.
    pub most: u64,
}

const fn rule(name: &'static str, least: u64, most: u64) -> SysctlRule {
    SysctlRule { name, numbers: 1, least, most }
}

const fn several(name: &'static str, numbers: usize, least: u64, most: u64) -> SysctlRule {
    SysctlRule { name, numbers, least, most }
}

const GIB: u64 = 1 << 30;
/// The kernel's `SOCK_MIN_SNDBUF`: it refuses less. Twice what a small packet takes, 2304 bytes on x86-64.
const LEAST_SEND_BUFFER: u64 = 4608;

/// Those that a node config may set.
pub const SYSCTLS: [SysctlRule; 31] = [
    rule("fs.aio-max-nr", 65_536, 16_777_216),
    rule("fs.file-max", 65_536, GIB * 4),
    rule("fs.inotify.max_queued_events", 16_384, 1_048_576),
    rule("fs.inotify.max_user_instances", 128, 65_536),
    rule("fs.inotify.max_user_watches", 8192, 16_777_216),
    rule("fs.nr_open", 1_048_576, GIB),
    rule("kernel.pid_max", 32_768, 4_194_304),
    rule("kernel.threads-max", 4096, 4_194_304),
    rule("net.core.netdev_max_backlog", 1000, 1_048_576),
    rule("net.core.rmem_default", 4096, GIB),
    rule("net.core.rmem_max", 4096, GIB),
    rule("net.core.somaxconn", 128, 65_535),
    rule("net.core.wmem_default", LEAST_SEND_BUFFER, GIB),
    rule("net.core.wmem_max", LEAST_SEND_BUFFER, GIB),
    several("net.ipv4.ip_local_port_range", 2, 1024, 65_535),
    rule("net.ipv4.neigh.default.gc_thresh1", 128, 1_048_576),
    rule("net.ipv4.neigh.default.gc_thresh2", 128, 1_048_576),
    rule("net.ipv4.neigh.default.gc_thresh3", 128, 1_048_576),
    rule("net.ipv4.tcp_fin_timeout", 5, 120),
    rule("net.ipv4.tcp_keepalive_intvl", 1, 600),
    rule("net.ipv4.tcp_keepalive_probes", 1, 50),
    rule("net.ipv4.tcp_keepalive_time", 10, 7200),
    rule("net.ipv4.tcp_max_syn_backlog", 128, 1_048_576),
    several("net.ipv4.tcp_rmem", 3, 4096, GIB),
    several("net.ipv4.tcp_wmem", 3, 4096, GIB),
    rule("net.ipv6.neigh.default.gc_thresh1", 128, 1_048_576),
    rule("net.ipv6.neigh.default.gc_thresh2", 128, 1_048_576),
    rule("net.ipv6.neigh.default.gc_thresh3", 128, 1_048_576),
    rule("vm.dirty_background_ratio", 1, 50),
    rule("vm.dirty_ratio", 1, 80),
    rule("vm.max_map_count", 65_530, 16_777_216),
];

/// Sizes of the table of neighbours, each not above the next: up to the first nothing is taken out of it, above the last
/// nobody comes in (the kernel's `ip-sysctl.rst`). A last one below the others would be the only one that counts.
const RISING: [[&str; 3]; 2] = [
    ["net.ipv4.neigh.default.gc_thresh1", "net.ipv4.neigh.default.gc_thresh2", "net.ipv4.neigh.default.gc_thresh3"],
    ["net.ipv6.neigh.default.gc_thresh1", "net.ipv6.neigh.default.gc_thresh2", "net.ipv6.neigh.default.gc_thresh3"],
];

pub(super) fn check(config: &NodeConfig, report: &mut Report) {
    let names: Vec<&str> = SYSCTLS.iter().map(|rule| rule.name).collect();
    for (name, value) in &config.sysctls {
        let path = ["sysctls", name.as_str()];
        let Some(rule) = SYSCTLS.iter().find(|rule| rule.name == name) else {
            let next = match nearest(name, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "docs/node-config.md lists those that it may; the others are the image's".to_owned(),
            };
            let message = format!("`{}` is not a sysctl that a node config may set", excerpt(name));
            report.expect(false, &path, message, &next);
            continue;
        };
        let numbers: Option<Vec<u64>> = value.0.split_ascii_whitespace().map(number).collect();
        let range = rule.least..=rule.most;
        let fits = |numbers: &[u64]| {
            numbers.len() == rule.numbers && numbers.iter().all(|number| range.contains(number)) && numbers.is_sorted()
        };
        let next = match rule.numbers {
            _ if value.0.split_ascii_whitespace().any(is_octal) => {
                "write it without the 0 in front: the kernel reads it as an octal number".to_owned()
            }
            1 => format!("it takes {} to {}", rule.least, rule.most),
            count => format!("it takes {count} numbers, rising, from {} to {}", rule.least, rule.most),
        };
        let message = format!("`{}` is not a value of `{name}`", excerpt(&value.0));
        report.expect(numbers.is_some_and(|numbers| fits(&numbers)), &path, message, &next);
    }
    check_rising(config, report);
}

/// Of those that are given: what the others are is the kernel's affair.
fn check_rising(config: &NodeConfig, report: &mut Report) {
    for names in RISING {
        let given =
            names.into_iter().filter_map(|name| Some((name, number(config.sysctls.get(name)?.0.trim_ascii())?)));
        let given: Vec<(&str, u64)> = given.collect();
        for pair in given.windows(2) {
            let [(first, less), (second, more)] = pair else { continue };
            let message = format!("it is {more}, and `{first}` is {less}");
            let next = "give it as much at least, or the other one less";
            report.expect(less <= more, &["sysctls", *second], message, next);
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !is_octal(text)).then(|| text.parse().ok()).flatten()
}

/// A number for the kernel, and not the one that is meant: `proc_dointvec` goes by the prefix, as C does.
fn is_octal(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}
