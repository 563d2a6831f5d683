//! One rule, and how `nft` writes it.

use std::fmt;
use std::net::IpAddr;

use super::{Network, Ports};

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// What comes to the node itself; what no rule accepts is dropped.
    Input,
    /// What goes through it, of pods and to pods: their rules are those of Kubernetes, and what no rule drops goes on.
    Forward,
    /// From where the cluster comes; rules of [`Chain::Input`] jump here.
    Cluster,
}

impl Chain {
    /// All of them.
    pub const ALL: [Chain; 3] = [Chain::Input, Chain::Forward, Chain::Cluster];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Chain::Input => "input",
            Chain::Forward => "forward",
            Chain::Cluster => "cluster",
        }
    }
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
    /// ICMP of either family, by its number.
    Icmp(u8),
    /// From a network.
    From(Network),
    /// To an address.
    To(IpAddr),
    /// From a port, which is of UDP.
    UdpFrom(u16),
    /// To a port.
    Port(Ports),
}

/// What happens to a packet that is all that its rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It does not.
    Drop,
    /// The rules of another chain are asked, and then the next one here.
    Jump(Chain),
}

/// One rule: all of its matches, then what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands.
    pub chain: Chain,
    /// All of these.
    pub matches: Vec<Match>,
    /// What happens.
    pub verdict: Verdict,
}

impl fmt::Display for Rule {
    /// As `nft` writes it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.matches {
            write!(out, "{one} ")?;
        }
        match self.verdict {
            Verdict::Accept => out.write_str("accept"),
            Verdict::Drop => out.write_str("drop"),
            Verdict::Jump(chain) => write!(out, "jump {}", chain.name()),
        }
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
            Match::Port(ports) => write!(out, "{} dport {}", ports.protocol, ports.numbers()),
        }
    }
}
