//! A machine of its own for what is done to it, whose lease is brief.

mod lease;
mod metadata;
mod program;

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use orlop_machine::lab::Answer;
use orlop_machine::{Card, Running, within};

use super::hands::Hands;
use super::{Target, firewall};
use crate::segment::{Node, segment};
use crate::services;

#[test]
fn a_node_keeps_its_rules_and_its_network_whatever_happens() -> Result<()> {
    let guarded = Guarded::join()?;
    services::started(guarded.segment)?;
    let hands = Hands::start(&guarded)?;
    let made = firewall::holds_whatever_others_do_to_their_rules(&guarded)?;
    metadata::is_for_the_host_alone(&guarded, &hands)?;
    program::is_killed_and_nothing_is_lost(&guarded, &hands)?;
    let has = firewall::table_of_the_cni(&guarded)?;
    ensure!(has == made, "orlop-net, started anew, leaves other tables alone: made {made}\nnow {has}");
    lease::is_renewed_survives_its_server_and_changes(&guarded, &hands)?;
    lease::ends_where_nobody_renews_it(&guarded)?;
    hands.stop()?;
    guarded.leave()
}

/// The node that is treated badly, whose lease is brief.
struct Guarded {
    target: Target,
    card: Card,
    node: Node,
    running: Running,
}

impl Deref for Guarded {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Guarded {
    fn join() -> Result<Guarded> {
        let segment = segment()?;
        let target = Target { segment, name: "guarded", ipv6: "2001:db8::14" };
        let mut node = segment.machine_told(target.name, |config| config.labels.clear())?;
        let card = node.machine.cards.first().context("a card")?.clone();
        segment.dhcp.answer(&card, Some(Answer::Brief(card.address)))?;
        node.also_has(target.ipv6)?;
        let running = node.join()?;
        Ok(Guarded { target, card, node, running })
    }

    /// When it last became Ready.
    fn ready_since(&self) -> Result<String> {
        self.segment.ready_since(self.name)
    }

    fn leave(self) -> Result<()> {
        self.running.power_off(within(180))?;
        self.segment.dhcp.answer(&self.card, None)?;
        self.segment.kubectl.run(&["delete", "node", self.name])?;
        drop(self.node);
        Ok(())
    }
}
