//! What the network should be: what the node config says, or what holds as long as there is none.

use crate::netlink::Link;
use std::net::IpAddr;

/// What the network should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The node's name.
    pub host_name: Option<String>,
    /// Cards, the first one that matches a card holds for it; their order is that of the default route.
    pub interfaces: Vec<Interface>,
    /// Name servers in place of those that the network names.
    pub dns: Vec<IpAddr>,
    /// Domains to look names up in, in place of the network's.
    pub search: Vec<String>,
    /// Time servers, names or addresses, in place of the network's.
    pub ntp: Vec<String>,
}

/// What one card, or every card, should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Which.
    pub select: Select,
    /// IPv4 comes by DHCP.
    pub dhcp4: bool,
    /// IPv6 comes by router advertisements, and by DHCPv6 where they say so.
    pub automatic6: bool,
    /// Addresses with the bits of their networks.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Routes; a default route has no bits.
    pub routes: Vec<PlannedRoute>,
    /// The largest packet, in place of the network's.
    pub mtu: Option<u32>,
}

/// Which card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Every card of Ethernet; not what software makes.
    Any,
    /// The one of this name, software's too.
    Name(String),
    /// The one of this hardware address.
    Mac([u8; 6]),
}

/// A route of the node config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedRoute {
    /// Where it leads.
    pub destination: IpAddr,
    /// Bits of the destination.
    pub prefix: u8,
    /// Through whom.
    pub gateway: IpAddr,
}

impl Plan {
    /// What holds without a node config: DHCP on these cards, or on every one.
    pub fn automatic(cards: &[String]) -> Self {
        let mut interfaces: Vec<Interface> =
            cards.iter().map(|name| Interface::automatic(Select::Name(name.clone()))).collect();
        if cards.is_empty() {
            interfaces.push(Interface::automatic(Select::Any));
        }
        Plan { host_name: None, interfaces, dns: Vec::new(), search: Vec::new(), ntp: Vec::new() }
    }

    /// What holds for a card, and its place in the order; none: it is left alone.
    pub fn interface(&self, link: &Link) -> Option<(usize, &Interface)> {
        self.interfaces.iter().enumerate().find(|(_, interface)| interface.select.matches(link))
    }

    /// The node config names a default route.
    pub fn has_default_route(&self) -> bool {
        self.interfaces.iter().flat_map(|interface| &interface.routes).any(|route| route.prefix == 0)
    }
}

impl Interface {
    /// Everything from the network.
    pub fn automatic(select: Select) -> Self {
        Interface { select, dhcp4: true, automatic6: true, addresses: Vec::new(), routes: Vec::new(), mtu: None }
    }
}

impl Select {
    fn matches(&self, link: &Link) -> bool {
        if link.enslaved {
            return false;
        }
        match self {
            Select::Any => link.kind.is_none() && link.mac.is_some(),
            Select::Name(name) => *name == link.name,
            // Pods' ends of links, bridges and VLANs can have the address of a card.
            Select::Mac(mac) => link.kind.is_none() && link.mac == Some(*mac),
        }
    }
}
