//! What a node lets in and what it leaves alone; and (`slow`) what it keeps while others change their rules, its network
//! changes and `orlop-net` is killed.

mod firewall;
#[cfg(feature = "slow")]
mod guarded;
mod hands;

use std::net::IpAddr;

use anyhow::Result;
use orlop_machine::lab::network;

use crate::segment::{ONE_IPV6, Segment, one};
use crate::services;
use hands::Hands;

#[test]
fn a_node_is_closed_but_for_what_its_image_and_its_config_open() -> Result<()> {
    let target = Target { segment: one()?.segment, name: "one", ipv6: ONE_IPV6 };
    services::started(target.segment)?;
    let hands = Hands::start(&target)?;
    firewall::is_as_said(&target)?;
    hands.stop()
}

/// A node that has joined, and what the tests know of it.
struct Target {
    segment: &'static Segment,
    name: &'static str,
    /// Its address of IPv6, which the node config gives it.
    ipv6: &'static str,
}

impl Target {
    /// Its address of IPv4, as the cluster knows it.
    fn address(&self) -> Result<IpAddr> {
        Ok(self.segment.kubectl.node_address(self.name)?)
    }
}

/// The lab's host as one of the cluster, and as a stranger, over both families.
fn hosts() -> Result<[[IpAddr; 2]; 2]> {
    Ok([[network::HOST.parse()?, network::STRANGER.parse()?], [network::HOST6.parse()?, network::STRANGER6.parse()?]])
}
