//! What the host itself is told: names, addresses, sysctls.

use std::net::{IpAddr, Ipv4Addr};

use super::Facts;
use crate::node_config::{Cidr, Interface, Ipv4Method, Ipv6Method, NodeConfig};

/// A cluster's traffic is forwarded from pod to pod.
const FORWARDING: [(&str, &str); 2] = [("net.ipv4.ip_forward", "1"), ("net.ipv6.conf.all.forwarding", "1")];

/// `/etc/hosts`. The host's own name stands there, so that kubelet asks no name server for it.
pub(super) fn hosts(hostname: &str, config: &NodeConfig, facts: &Facts) -> String {
    let fixed = static_addresses(config);
    let addresses = if fixed.is_empty() { facts.addresses.clone() } else { fixed };
    // kubelet takes no loopback address for the node's: with this one it goes by the default route.
    let addresses = if addresses.is_empty() { vec![Ipv4Addr::new(127, 0, 1, 1).into()] } else { addresses };
    let short = hostname.split('.').next().unwrap_or_default();
    let names = if short == hostname { hostname.to_owned() } else { format!("{hostname} {short}") };
    let lines = addresses.iter().map(|address| format!("{address} {names}\n"));
    format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{}", lines.collect::<String>())
}

/// The node's static addresses: of each family the one that goes with the default route. None where the network gives a
/// default route: the node's address may be one that only the running machine knows.
pub(super) fn static_addresses(config: &NodeConfig) -> Vec<IpAddr> {
    let interfaces = &config.network.interfaces;
    if interfaces.iter().any(asks_for_default_route) {
        return Vec::new();
    }
    let of_family = |ipv4: bool| {
        let near = interfaces.iter().find(|interface| has_default_route(interface, ipv4))?;
        near.addresses.iter().find(|address| address.is_ipv4() == ipv4)
    };
    [of_family(true), of_family(false)].into_iter().flatten().map(|cidr: &Cidr| cidr.address).collect()
}

fn asks_for_default_route(interface: &Interface) -> bool {
    let asks = interface.ipv4_method() == Ipv4Method::Dhcp || interface.ipv6_method() == Ipv6Method::Auto;
    asks && interface.takes_default_route()
}

fn has_default_route(interface: &Interface, ipv4: bool) -> bool {
    let gateway = if ipv4 { interface.gateway4.is_some() } else { interface.gateway6.is_some() };
    gateway || interface.routes.iter().any(|route| route.is_default() && route.to.is_ipv4() == ipv4)
}

/// Forwarding first: the kernel sets others anew when it changes.
pub(super) fn sysctls(config: &NodeConfig) -> Vec<(String, String)> {
    let forwarding = FORWARDING.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let one_space = |value: &str| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let own = config.sysctls.iter().map(|(name, value)| (name.clone(), one_space(&value.0)));
    forwarding.chain(own).collect()
}
