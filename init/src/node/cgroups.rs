//! Control groups: `/init` for PID 1, `/net` and `/logind` for the programs of a cluster's node that stay,
//! `/podruntime/{runtime,kubelet,shim}` for what runs pods.

use super::Node;
use crate::report::{Refusal, or_refuse};
use std::fs::{self, File, OpenOptions};
use std::io;

const ROOT: &str = "/sys/fs/cgroup";
/// What kubelet checks for, and io for runc. hugetlb is used where the kernel has it.
const WANTED: [&str; 6] = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];
/// The shims' group must be there before the first pod: containerd does not make it.
const GROUPS: [&str; 7] =
    ["init", "net", "logind", "podruntime", "podruntime/runtime", "podruntime/kubelet", "podruntime/shim"];
const DELEGATED: [&str; 2] = ["", "podruntime"];

/// Makes the groups, moves PID 1 into its own, and delegates the controllers.
pub fn start(_: &mut Node) -> Result<(), Refusal> {
    for group in GROUPS {
        let path = format!("{ROOT}/{group}");
        or_refuse(fs::create_dir_all(&path), "cgroups", &path)?;
    }
    let procs = format!("{ROOT}/init/cgroup.procs");
    or_refuse(fs::write(&procs, "1"), "cgroups", &procs)?;
    for group in DELEGATED {
        let folder = format!("{ROOT}/{group}");
        let offered = fs::read_to_string(format!("{folder}/cgroup.controllers")).unwrap_or_default();
        let control = format!("{folder}/cgroup.subtree_control");
        or_refuse(fs::write(&control, delegation(&offered)), "cgroups", &control)?;
    }
    Ok(())
}

/// `cgroup.procs` of a group, to start a program in it.
pub fn open(group: &str) -> io::Result<File> {
    OpenOptions::new().write(true).open(format!("{ROOT}/{}/cgroup.procs", group.trim_start_matches('/')))
}

/// `+cpu +memory …`: what is wanted and offered.
fn delegation(offered: &str) -> String {
    let offered: Vec<&str> = offered.split_whitespace().collect();
    let chosen: Vec<String> =
        WANTED.iter().filter(|name| offered.contains(name)).map(|name| format!("+{name}")).collect();
    chosen.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_offered_is_delegated() {
        assert_eq!(delegation("cpu io misc memory pids rdma\n"), "+cpu +io +memory +pids");
    }
}
