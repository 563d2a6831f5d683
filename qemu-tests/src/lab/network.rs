//! The lab's addresses, in one place. They are those that documents reserve for examples (RFC 5737, RFC 3849), the
//! clouds' own for metadata, and kubeadm's defaults for Services and pods.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Namespace;
use crate::Card;

/// The bridge's name.
pub const BRIDGE: &str = "br0";
/// The host of the lab: gateway, DNS, time, registry, API server.
pub const HOST: &str = "192.0.2.1";
/// The same over IPv6.
pub const HOST6: &str = "2001:db8::1";
/// The network's length.
pub const PREFIX: u8 = 24;
/// What nodes are told of as the cluster's networks: the host's and the machines' addresses, and pods'.
pub const CLUSTER: [&str; 3] = ["192.0.2.0/25", PODS, "2001:db8::/80"];
/// Addresses of the lab's host that are in none of them.
pub const STRANGER: &str = "192.0.2.201";
/// The same over IPv6.
pub const STRANGER6: &str = "2001:db8::1:0:0:201";
/// Where EC2, GCE and Azure have their metadata.
pub const METADATA: &str = "169.254.169.254";
/// Azure's host agent.
pub const WIRESERVER: &str = "168.63.129.16";
/// The API server's port.
pub const API_PORT: u16 = 6443;
/// The first Service: the API server's.
pub const API_SERVICE: &str = "10.96.0.1";
/// Where cluster DNS is told to be.
pub const CLUSTER_DNS: &str = "10.96.0.10";
/// Addresses of Services.
pub const SERVICES: &str = "10.96.0.0/16";
/// Addresses of pods.
pub const PODS: &str = "10.244.0.0/16";
/// The domain of the lab's own names.
pub const DOMAIN: &str = "lab.test";
/// The cluster's domain.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// What `ip -batch` is told to make the network. No duplicate address detection: nobody else is there to be asked.
#[must_use]
pub fn network() -> String {
    [
        "link set dev lo up".to_string(),
        format!("link add name {BRIDGE} type bridge"),
        format!("address add {HOST}/{PREFIX} dev {BRIDGE}"),
        format!("address add {METADATA}/32 dev {BRIDGE}"),
        format!("address add {WIRESERVER}/32 dev {BRIDGE}"),
        format!("address add {HOST6}/64 dev {BRIDGE} nodad"),
        format!("address add {STRANGER}/{PREFIX} dev {BRIDGE}"),
        format!("address add {STRANGER6}/64 dev {BRIDGE} nodad"),
        format!("address add {API_SERVICE}/32 dev lo"),
        format!("link set dev {BRIDGE} up"),
        String::new(),
    ]
    .join("\n")
}

impl Card {
    /// The card of a number; its device does not exist yet.
    pub(super) fn of(number: u8, namespace: &Namespace) -> Card {
        Card {
            tap: format!("tap{number}"),
            mac: format!("52:54:00:12:34:{number:02x}"),
            address: address(number),
            enter: namespace.enter(),
        }
    }
}

/// The address of the lab's machine of this number.
#[must_use]
pub fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 10u8.saturating_add(number))
}

/// The address that a card makes itself of the lab's network of IPv6, which a router advertises: its hardware address is in
/// it (RFC 4291, appendix A). None: that is none.
#[must_use]
pub fn by_router(card: &Card) -> Option<Ipv6Addr> {
    let bytes = card.mac.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<Vec<u8>, _>>().ok()?;
    let [a, b, c, d, e, f] = bytes[..] else { return None };
    let pair = |high, low| u16::from_be_bytes([high, low]);
    Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, f)))
}

/// The host's address as a value.
pub(super) fn host() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_hardware_address_is_in_the_one_that_it_makes_itself() {
        let card = |mac: &str| Card { tap: "tap2".into(), mac: mac.into(), address: address(2), enter: Vec::new() };
        let made = by_router(&card("52:54:00:12:34:02")).map(|address| address.to_string());
        assert_eq!(made.as_deref(), Some("2001:db8::5054:ff:fe12:3402"));
        assert_eq!(by_router(&card("52:54:00:12:34")), None);
    }

    #[test]
    fn the_host_is_written_the_same_twice_and_the_machines_are_in_its_network() {
        assert_eq!(host().to_string(), HOST);
        assert_eq!(address(1).octets()[..3], [192, 0, 2]);
        assert!(network().contains("address add 192.0.2.1/24 dev br0\n"));
    }
}
