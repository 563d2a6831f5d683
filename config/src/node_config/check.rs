//! What a document must keep to beyond its types. No message repeats a secret.

mod cluster;
mod identity;
mod kubelet;
mod names;
mod network;
mod node;
mod pods;
mod registries;
mod sysctls;

use std::net::IpAddr;

use super::NodeConfig;
use super::network::{MAPPED, mapped};
use crate::node::{Allowance, NodeConfigPolicy};
use crate::problem::{Problem, Report};
// What stands before an `@` may be a password, which no message repeats.
use crate::text::shown as excerpt;

pub use kubelet::KUBELET_RANGES;
pub(super) use network::{LEAST_MTU, LEAST_MTU_IPV6, MOST_MTU};
pub use sysctls::{SYSCTLS, SysctlRule};

impl NodeConfig {
    /// Everything that is wrong with this document, in the order of its parts.
    pub(super) fn problems(&self, policy: &NodeConfigPolicy) -> Vec<Problem> {
        let mut report = Report::default();
        identity::check(self, policy, &mut report);
        network::check(&self.network, &mut report);
        identity::check_time(&self.time, &mut report);
        identity::check_proxy(&self.proxy, &mut report);
        cluster::check(&self.cluster, policy, &mut report);
        cluster::check_user(self, &mut report);
        cluster::check_networks(&self.cluster, policy, &mut report);
        node::check_labels(self, &mut report);
        node::check_taints(self, &mut report);
        kubelet::check(&self.kubelet, &mut report);
        registries::check(self, policy, &mut report);
        pods::check_cas(self, policy, &mut report);
        pods::check_static_pods(self, policy, &mut report);
        sysctls::check(self, &mut report);
        report.into_problems()
    }
}

/// Notes what the image's definition does not allow.
fn expect_allowed(what: Allowance, path: &[&str], policy: &NodeConfigPolicy, report: &mut Report) {
    let message = format!("this image takes no {} from its node config", what.name());
    let next = format!("leave it out, or build an image with `node_config.allow = [\"{}\"]`", what.name());
    report.expect(policy.allows(what), path, message, &next);
}

/// Notes an address of IPv4 in the form of IPv6.
fn expect_plain(address: IpAddr, path: &[&str], report: &mut Report) {
    let Some(plain) = mapped(address) else { return };
    report.expect(false, path, format!("`{address}` is {MAPPED}"), &format!("write \"{plain}\""));
}

/// Notes a value that is there twice.
fn expect_once<T: PartialEq>(all: &[T], index: usize, path: &[&str], report: &mut Report) {
    let first = all[..index].iter().position(|other| *other == all[index]);
    let message = format!("it is there already, as number {}", first.unwrap_or_default() + 1);
    report.expect(first.is_none(), path, message, "name it once");
}
