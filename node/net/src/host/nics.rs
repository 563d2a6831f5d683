//! The cards and their leases: what happens to them, without carrying anything out.

use crate::dhcp4::client::{self, Action, Client, Event, Identity};
use crate::dhcp4::message::Reply;
use crate::dhcp4::{Lease, message::Query};
use crate::netlink::Link;
use crate::plan::{Interface, Plan};
use crate::time::{Millis, Tick};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// One card that the plan has something to say about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// As the kernel tells it.
    pub link: Link,
    /// Its place in the order of default routes.
    pub order: usize,
    /// What it should be.
    pub interface: Interface,
    /// Its DHCP client.
    pub dhcp4: Option<Client>,
}

/// Something to send or to say, of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A packet of DHCP, out of a card.
    Send {
        /// The card.
        index: u32,
        /// The packet.
        query: Query,
        /// Whom it goes to; none: everybody.
        to: Option<Ipv4Addr>,
    },
    /// A line about a card.
    Say {
        /// The card's name.
        name: String,
        /// The line.
        text: String,
    },
}

/// All cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nics {
    plan: Plan,
    links: BTreeMap<u32, Link>,
    nics: BTreeMap<u32, Nic>,
    /// Leases of before this program was started anew, by hardware address.
    kept: BTreeMap<[u8; 6], Lease>,
}

impl Nics {
    /// None yet; leases of before are taken up by the cards of their addresses.
    pub fn new(plan: Plan, kept: BTreeMap<[u8; 6], Lease>) -> Self {
        Nics { plan, links: BTreeMap::new(), nics: BTreeMap::new(), kept }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The cards.
    pub fn all(&self) -> impl Iterator<Item = &Nic> {
        self.nics.values()
    }

    /// The card of a number.
    pub fn get(&self, index: u32) -> Option<&Nic> {
        self.nics.get(&index)
    }

    /// Another plan: leases of cards that keep DHCP stay.
    pub fn set_plan(&mut self, plan: Plan, tick: Tick) -> Vec<Wish> {
        for nic in self.nics.values() {
            if let (Some(mac), Some(lease)) = (nic.link.mac, nic.dhcp4.as_ref().and_then(Client::lease)) {
                self.kept.insert(mac, lease.clone());
            }
        }
        self.plan = plan;
        self.nics.clear();
        let links: Vec<Link> = self.links.values().cloned().collect();
        links.into_iter().flat_map(|link| self.link(link, tick)).collect()
    }

    /// A link is there, or has changed.
    pub fn link(&mut self, link: Link, tick: Tick) -> Vec<Wish> {
        let index = link.index;
        self.links.insert(index, link.clone());
        let Some((order, interface)) = self.plan.interface(&link) else {
            self.nics.remove(&index);
            return Vec::new();
        };
        let mut wishes = Vec::new();
        // A number that another card has got, or another address of the same card, starts anew.
        let known = self.nics.remove(&index).filter(|nic| nic.link.mac == link.mac);
        let had_carrier = known.as_ref().is_some_and(|nic| nic.link.carrier);
        let dhcp4 = match known {
            Some(nic) => nic.dhcp4,
            None => {
                let kept = link.mac.and_then(|mac| self.kept.remove(&mac));
                (interface.dhcp4 && link.mac.is_some()).then(|| first(kept, &link, tick.now))
            }
        };
        let name = link.name.clone();
        let carrier = link.carrier;
        let nic = Nic { link, order, interface: interface.clone(), dhcp4 };
        self.nics.insert(index, nic);
        if carrier != had_carrier {
            wishes.push(Wish::Say { name, text: format!("the carrier is {}", if carrier { "there" } else { "gone" }) });
            wishes.extend(self.dhcp4(index, &if carrier { Event::Up } else { Event::Down }, tick));
        }
        wishes
    }

    /// A link is gone.
    pub fn gone(&mut self, index: u32) -> Vec<Wish> {
        self.links.remove(&index);
        let gone = self.nics.remove(&index);
        gone.map(|nic| Wish::Say { name: nic.link.name, text: "the card is gone".into() }).into_iter().collect()
    }

    /// The links that are not in this list are gone.
    pub fn only(&mut self, indices: &[u32]) -> Vec<Wish> {
        let gone: Vec<u32> = self.links.keys().copied().filter(|index| !indices.contains(index)).collect();
        gone.into_iter().flat_map(|index| self.gone(index)).collect()
    }

    /// A packet of DHCP came in on a card.
    pub fn packet(&mut self, index: u32, reply: &Reply, tick: Tick) -> Vec<Wish> {
        self.dhcp4(index, &Event::Packet(reply), tick)
    }

    /// Deadlines may have come.
    pub fn timer(&mut self, tick: Tick) -> Vec<Wish> {
        let indices: Vec<u32> = self.nics.keys().copied().collect();
        indices.into_iter().flat_map(|index| self.dhcp4(index, &Event::Timer, tick)).collect()
    }

    /// When [`Nics::timer`] is due.
    pub fn deadline(&self) -> Option<Millis> {
        self.nics.values().filter_map(|nic| nic.dhcp4.as_ref()?.deadline()).min()
    }

    fn dhcp4(&mut self, index: u32, event: &Event<'_>, tick: Tick) -> Vec<Wish> {
        let Some(nic) = self.nics.get_mut(&index) else { return Vec::new() };
        let (Some(mac), Some(client)) = (nic.link.mac, nic.dhcp4.take()) else { return Vec::new() };
        let who = Identity { mac, host_name: self.plan.host_name.clone() };
        let (client, actions) = client::step(&who, client, event, tick);
        nic.dhcp4 = Some(client);
        let name = nic.link.name.clone();
        let wish = |action| match action {
            Action::Send(query, to) => Wish::Send { index, query, to },
            Action::Say(text) => Wish::Say { name: name.clone(), text },
        };
        actions.into_iter().map(wish).collect()
    }
}

/// A card's first state: with a lease that still runs, and a carrier all the time, nothing has to be asked.
fn first(kept: Option<Lease>, link: &Link, now: Millis) -> Client {
    match kept.filter(|lease| lease.expire > now) {
        Some(lease) if link.carrier => Client::Bound(lease),
        kept => Client::new(kept),
    }
}
