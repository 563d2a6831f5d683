//! What is let through, as data.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// kubelet's.
const KUBELET: u16 = 10250;
/// `--service-node-port-range` of the API server, its default.
const NODE_PORTS: RangeInclusive<u16> = 30000..=32767;
/// The clouds' metadata, and EC2's over IPv6.
const METADATA: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))];
/// Azure's wireserver gives out the machine's settings and certificates on these ports; on 53 it is the name server.
const WIRESERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));
const WIRESERVER_PORTS: [u16; 2] = [80, 32526];

/// An address with the bits of its network.
pub type Network = (IpAddr, u8);

/// What differs from node to node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// From where kubelet may be reached; empty: from everywhere.
    pub kubelet_from: Vec<Network>,
    /// Further ports that may be reached.
    pub open: Vec<(Protocol, u16)>,
    /// Pods may reach the metadata.
    pub pods_reach_metadata: bool,
}

/// Of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// TCP
    Tcp = 6,
    /// UDP
    Udp = 17,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// What comes to the node itself; what no rule accepts is dropped.
    Input,
    /// What goes through it, of pods and to pods: their rules are those of Kubernetes, and what no rule drops goes on.
    Forward,
}

/// One thing that a packet must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Of a connection that is known, or related to one.
    Established,
    /// Of a connection that somebody's rules led here: a Service, a host port.
    LedHere,
    /// In by the loopback interface.
    Loopback,
    /// ICMP of either family.
    Icmp(u8),
    /// From a network.
    From(Network),
    /// To an address.
    To(IpAddr),
    /// From a port, which is of UDP.
    UdpFrom(u16),
    /// To a port.
    Port(Protocol, RangeInclusive<u16>),
}

/// One rule: all of its matches, then what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands.
    pub chain: Chain,
    /// All of these.
    pub matches: Vec<Match>,
    /// The packet goes on, or it does not.
    pub accept: bool,
}

/// All rules, in order.
pub fn rules(policy: &Policy) -> Vec<Rule> {
    let input = |matches: Vec<Match>| Rule { chain: Chain::Input, matches, accept: true };
    let port = |protocol, port| Match::Port(protocol, port..=port);
    let link_local = (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);
    let mut rules = vec![
        input(vec![Match::Established]),
        input(vec![Match::Loopback]),
        // ICMP, and that of IPv6, without which there is no IPv6.
        input(vec![Match::Icmp(1)]),
        input(vec![Match::Icmp(58)]),
        // Answers to broadcasts belong to no connection.
        input(vec![Match::UdpFrom(67), port(Protocol::Udp, 68)]),
        input(vec![Match::From(link_local), Match::UdpFrom(547), port(Protocol::Udp, 546)]),
        input(vec![Match::LedHere]),
    ];
    if policy.kubelet_from.is_empty() {
        rules.push(input(vec![port(Protocol::Tcp, KUBELET)]));
    }
    for network in &policy.kubelet_from {
        rules.push(input(vec![Match::From(*network), port(Protocol::Tcp, KUBELET)]));
    }
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        rules.push(input(vec![Match::Port(protocol, NODE_PORTS)]));
    }
    rules.extend(policy.open.iter().map(|(protocol, number)| input(vec![port(*protocol, *number)])));
    if !policy.pods_reach_metadata {
        let drop = |matches: Vec<Match>| Rule { chain: Chain::Forward, matches, accept: false };
        rules.extend(METADATA.map(|address| drop(vec![Match::To(address)])));
        rules.extend(WIRESERVER_PORTS.map(|number| drop(vec![Match::To(WIRESERVER), port(Protocol::Tcp, number)])));
    }
    rules
}

impl fmt::Display for Rule {
    /// As `nft` writes it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.matches {
            write!(out, "{one} ")?;
        }
        out.write_str(if self.accept { "accept" } else { "drop" })
    }
}

impl fmt::Display for Match {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = |address: &IpAddr| if address.is_ipv4() { "ip" } else { "ip6" };
        match self {
            Match::Established => write!(out, "ct state established,related"),
            Match::LedHere => write!(out, "ct status dnat"),
            Match::Loopback => write!(out, "iifname \"lo\""),
            Match::Icmp(1) => write!(out, "meta l4proto icmp"),
            Match::Icmp(_) => write!(out, "meta l4proto ipv6-icmp"),
            Match::From((address, bits)) => write!(out, "{} saddr {address}/{bits}", family(address)),
            Match::To(address) => write!(out, "{} daddr {address}", family(address)),
            Match::UdpFrom(port) => write!(out, "udp sport {port}"),
            Match::Port(protocol, ports) => {
                write!(out, "{} dport {}", if *protocol == Protocol::Tcp { "tcp" } else { "udp" }, ports.start())?;
                if ports.start() == ports.end() { Ok(()) } else { write!(out, "-{}", ports.end()) }
            }
        }
    }
}
