//! The lease: renewed, its server gone and back, another address.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use orlop_machine::lab::Answer;
use orlop_machine::within;

use super::Guarded;
use crate::network::firewall;
use crate::network::hands::Hands;

/// Another address than its usual one, for which no machine of the lab stands.
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 94);

pub fn is_renewed_survives_its_server_and_changes(guarded: &Guarded, hands: &Hands<'_>) -> Result<()> {
    let since = guarded.ready_since()?;
    let address = guarded.address()?;
    acknowledged(guarded, address)?;
    acknowledged(guarded, address)?;
    // The server is gone: first its own client asks it, and later anybody.
    gone(guarded)?;
    ensure!(guarded.address()? == address && guarded.ready_since()? == since, "the lease holds without its server");
    guarded.segment.dhcp.answer(&guarded.card, Some(Answer::Brief(guarded.card.address)))?;
    acknowledged(guarded, address)?;
    ensure!(guarded.ready_since()? == since, "{} was Ready all along", guarded.name);
    // Another address: the network's, kubelet's and the cluster's.
    guarded.segment.dhcp.answer(&guarded.card, Some(Answer::Brief(OTHER)))?;
    acknowledged(guarded, OTHER.into())?;
    known_as(guarded, OTHER.into())?;
    let has = guarded.segment.kubectl.until("way to the node by its new address", within(180), |_| {
        hands.run("ip -4 address show; ip route").map(Some)
    })?;
    ensure!(has.contains(&format!("inet {OTHER}/24")) && !has.contains(&address.to_string()), "{has}");
    ensure!(has.contains("default via 192.0.2.1"), "{has}");
    guarded.segment.kubectl.wait(&format!("node/{}", guarded.name), "condition=Ready", within(180))?;
    firewall::open_and_closed(guarded)
}

/// The server says nothing to the machine, which asks it, and then any server. What it has goes on until the lease ends.
fn gone(guarded: &Guarded) -> Result<()> {
    guarded.segment.dhcp.answer(&guarded.card, Some(Answer::Nothing))?;
    let log = format!("/api/v1/nodes/{}/proxy/logs/net.log", guarded.name);
    guarded.segment.kubectl.until("question to any server", within(120), |kubectl| {
        Ok(kubectl.run(&["get", "--raw", &log])?.contains("does not renew").then_some(()))
    })?;
    Ok(())
}

fn acknowledged(guarded: &Guarded, address: IpAddr) -> Result<()> {
    Ok(guarded.segment.dhcp.acknowledged(&guarded.card, address, within(120))?)
}

fn known_as(guarded: &Guarded, address: IpAddr) -> Result<()> {
    let condition = format!("jsonpath={{.status.addresses[?(@.type==\"InternalIP\")].address}}={address}");
    guarded.segment.kubectl.wait(&format!("node/{}", guarded.name), &condition, within(180)).map_err(Into::into)
}

/// Two minutes without a server: the address goes, and comes with the server.
pub fn ends_where_nobody_renews_it(guarded: &Guarded) -> Result<()> {
    let (segment, node) = (guarded.segment, format!("node/{}", guarded.name));
    segment.dhcp.answer(&guarded.card, Some(Answer::Nothing))?;
    segment.kubectl.wait(&node, "condition=Ready=unknown", within(400))?;
    segment.dhcp.answer(&guarded.card, Some(Answer::Brief(OTHER)))?;
    acknowledged(guarded, OTHER.into())?;
    segment.kubectl.wait(&node, "condition=Ready", within(240))?;
    firewall::open_and_closed(guarded)
}
