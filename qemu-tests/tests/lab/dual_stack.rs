//! Addresses of IPv6 that the network gives, beside DHCP's of IPv4.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::network;
use orlop_machine::within;

use crate::segment::Node;

/// A node that has joined is reached by the address that it made itself, as a router told it, and by the one of DHCPv6; the
/// cluster knows it by IPv4's (docs/network.md).
pub fn has_what_the_network_gives(node: &Node) -> Result<()> {
    let (segment, card) = (node.segment, node.machine.cards.first().context("a card")?);
    let by_router = network::by_router(card).with_context(|| format!("{} is no hardware address", card.mac))?;
    let by_server = segment.dhcp.given6(card, within(60))?;
    let host: IpAddr = network::HOST6.parse()?;
    for (address, whose) in [(by_router, "router advertisements"), (by_server, "DHCPv6")] {
        let kubelet = SocketAddr::new(address.into(), 10250);
        let connected = segment.lab.namespace.connect_from(Some(host), kubelet, within(20))?;
        connected.with_context(|| format!("kubelet at {address}, which is by {whose}"))?;
    }
    let known = segment.kubectl.node_address(&node.name)?;
    ensure!(known == IpAddr::V4(card.address), "the cluster knows it by {known}");
    Ok(())
}
