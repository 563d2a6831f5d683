//! What a node lets in, what it leaves alone, and what it keeps while its network changes. One machine for all of it, whose
//! lease is brief, and which has an address of IPv6 too.

mod firewall;
mod hands;
mod lease;
mod metadata;
mod program;

use std::net::IpAddr;

use anyhow::{Context, Result};
use orlop_machine::lab::{Answer, network};
use orlop_machine::{Card, Running, within};

use crate::segment::{Node, Segment, segment};
use crate::services;

/// The machine's number, and the node's name.
const NUMBER: u8 = 14;
const NAME: &str = "guarded";
/// Its address of IPv6, which the node config gives it.
const IPV6: &str = "2001:db8::14";

#[test]
fn a_node_is_closed_and_keeps_its_network_whatever_happens() -> Result<()> {
    let guarded = Guarded::join()?;
    services::started(guarded.segment)?;
    let hands = hands::Hands::start(&guarded)?;
    firewall::holds_whatever_others_do_to_their_rules(&guarded)?;
    metadata::is_for_the_host_alone(&guarded, &hands)?;
    program::is_killed_and_nothing_is_lost(&guarded, &hands)?;
    lease::is_renewed_survives_its_server_and_changes(&guarded, &hands)?;
    #[cfg(feature = "slow")]
    lease::ends_where_nobody_renews_it(&guarded)?;
    guarded.leave()
}

/// The node, which has joined.
struct Guarded {
    segment: &'static Segment,
    card: Card,
    node: Node,
    running: Running,
}

impl Guarded {
    fn join() -> Result<Guarded> {
        let segment = segment()?;
        let mut node = segment.machine(NUMBER, NAME)?;
        let card = node.machine.cards.first().context("a card")?.clone();
        segment.dhcp.answer(&card, Some(Answer::Brief(card.address)))?;
        let interface =
            format!("\n[[network.interfaces]]\nmac = \"{}\"\nipv4 = \"dhcp\"\naddresses = [\"{IPV6}/64\"]\n", card.mac);
        node.tell(|config| config.tables += &interface);
        let running = node.join()?;
        Ok(Guarded { segment, card, node, running })
    }

    /// Its address as the cluster knows it.
    fn address(&self) -> Result<IpAddr> {
        let node = self.segment.kubectl.get(&["node", NAME])?;
        let addresses = node["status"]["addresses"].as_array().context("addresses")?;
        let internal = addresses.iter().find(|address| address["type"] == "InternalIP");
        Ok(internal.and_then(|address| address["address"].as_str()).context("an InternalIP")?.parse()?)
    }

    /// When it last became Ready.
    fn ready_since(&self) -> Result<String> {
        let node = self.segment.kubectl.get(&["node", NAME])?;
        let conditions = node["status"]["conditions"].as_array().context("conditions")?;
        let ready = conditions.iter().find(|one| one["type"] == "Ready").context("Ready")?;
        anyhow::ensure!(ready["status"] == "True", "{ready}");
        Ok(ready["lastTransitionTime"].as_str().context("a time")?.to_owned())
    }

    fn leave(self) -> Result<()> {
        self.running.power_off(within(180))?;
        self.segment.dhcp.answer(&self.card, None)?;
        self.segment.kubectl.run(&["delete", "node", NAME])?;
        drop(self.node);
        Ok(())
    }
}

/// The lab's host as one of the cluster, and as a stranger, over both families.
fn hosts() -> Result<[[IpAddr; 2]; 2]> {
    Ok([[network::HOST.parse()?, network::STRANGER.parse()?], [network::HOST6.parse()?, network::STRANGER6.parse()?]])
}
