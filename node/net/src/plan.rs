//! What the network should be: what the node config says, or what holds as long as there is none.

use crate::netlink::Link;
use orlop_config::firewall::{self, Openings, Rule};
use orlop_config::node_config::{self, Ipv4Method, Ipv6Method, NodeConfig};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// What the host's firewall lets in and through.
    pub firewall: Vec<Rule>,
}

/// What one card, or every card, should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Which.
    pub select: Select,
    /// IPv4 comes by DHCP.
    pub dhcp4: bool,
    /// Where addresses of IPv6 come from.
    pub ipv6: Ipv6Method,
    /// Default routes of the network are taken.
    pub default_route: bool,
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
    /// Through whom; none: everybody there is on the link.
    pub gateway: Option<IpAddr>,
}

impl Plan {
    /// What holds without a node config: DHCP on these cards, or on every one, and nothing that is open.
    pub fn automatic(cards: &[String]) -> Self {
        let mut interfaces: Vec<Interface> =
            cards.iter().map(|name| Interface::automatic(Select::Name(name.clone()))).collect();
        if cards.is_empty() {
            interfaces.push(Interface::automatic(Select::Any));
        }
        Plan {
            host_name: None,
            interfaces,
            dns: Vec::new(),
            search: Vec::new(),
            ntp: Vec::new(),
            firewall: firewall::closed(),
        }
    }

    /// What the node config says, and the image's definition of ports; where it names no cards, as without one.
    pub fn of(config: &NodeConfig, openings: &Openings, cards: &[String]) -> Self {
        let mut plan = Plan::automatic(cards);
        if !config.network.interfaces.is_empty() {
            plan.interfaces = config.network.interfaces.iter().map(Interface::of).collect();
        }
        plan.host_name.clone_from(&config.hostname);
        plan.dns.clone_from(&config.network.dns);
        plan.search.clone_from(&config.network.search);
        plan.ntp.clone_from(&config.time.servers);
        plan.firewall = config.firewall(openings);
        plan
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
    fn of(interface: &node_config::Interface) -> Self {
        let any4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        let any6 = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        let default = |any, gateway| PlannedRoute { destination: any, prefix: 0, gateway: Some(gateway) };
        let further = interface.routes.iter().map(|route| PlannedRoute {
            destination: route.to.network(),
            prefix: route.to.prefix,
            gateway: route.via,
        });
        let gateway4 = interface.gateway4.map(|gateway| default(any4, gateway.into()));
        let gateway6 = interface.gateway6.map(|gateway| default(any6, gateway.into()));
        // The document names its cards by one or the other.
        let select = match (&interface.name, interface.mac) {
            (_, Some(mac)) => Select::Mac(mac.0),
            (Some(name), None) => Select::Name(name.clone()),
            (None, None) => Select::Any,
        };
        Interface {
            select,
            dhcp4: interface.ipv4_method() == Ipv4Method::Dhcp,
            ipv6: interface.ipv6_method(),
            default_route: interface.takes_default_route(),
            addresses: interface.addresses.iter().map(|cidr| (cidr.address, cidr.prefix)).collect(),
            routes: further.chain(gateway4).chain(gateway6).collect(),
            mtu: interface.mtu.map(u32::from),
        }
    }

    /// Everything from the network.
    pub fn automatic(select: Select) -> Self {
        Interface {
            select,
            dhcp4: true,
            ipv6: Ipv6Method::Auto,
            default_route: true,
            addresses: Vec::new(),
            routes: Vec::new(),
            mtu: None,
        }
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
