//! The cards and their leases: what happens to them, without carrying anything out.

use crate::dhcp4::client::{self, Action, Client, Event, Identity};
use crate::dhcp4::message::Reply;
use crate::dhcp4::{Lease, message::Query};
use crate::dhcp6;
use crate::netlink::{Address, Link};
use crate::plan::{Interface, Plan};
use crate::ra::{self, Resolvers};
use crate::time::{Millis, Tick};
use orlop_config::node_config::Ipv6Method;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

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
    /// Its client for IPv6, which begins where a router speaks of it.
    pub dhcp6: dhcp6::Client,
    /// Name servers that routers named.
    pub resolvers: Resolvers,
}

/// What of a card outlives the program.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// Its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// The carrier was away since, and whether the lease is one of this segment is still to be said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
    /// Its lease for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease6: Option<dhcp6::Lease>,
    /// What came by DHCPv6 without an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings6: Option<dhcp6::Settings>,
    /// The same of what came by DHCPv6.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed6: bool,
    /// Name servers that routers named.
    #[serde(skip_serializing_if = "Resolvers::is_empty")]
    pub resolvers: Resolvers,
}

impl Nic {
    /// What of it outlives the program.
    pub fn memory(&self) -> Memory {
        Memory {
            lease: self.dhcp4.as_ref().and_then(Client::lease).cloned(),
            unconfirmed: self.dhcp4.as_ref().is_some_and(Client::unconfirmed),
            lease6: self.dhcp6.lease().cloned(),
            settings6: self.dhcp6.settings().cloned(),
            unconfirmed6: self.dhcp6.unconfirmed(),
            resolvers: self.resolvers.clone(),
        }
    }

    /// IPv4 is still to come, by DHCP.
    pub fn waits_for_dhcp4(&self) -> bool {
        self.link.carrier && self.dhcp4.as_ref().is_some_and(|client| client.lease().is_none())
    }
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
    /// A packet of DHCPv6, out of a card, to everybody.
    Send6 {
        /// The card.
        index: u32,
        /// The packet.
        query: dhcp6::message::Query,
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
    /// Cards that heard routers by an earlier plan and are none of this one's, until the kernel listens no more.
    left: BTreeSet<u32>,
    /// What was before this program was started anew, by hardware address.
    kept: BTreeMap<[u8; 6], Memory>,
}

impl Nics {
    /// None yet; leases of before are taken up by the cards of their addresses.
    pub fn new(plan: Plan, kept: BTreeMap<[u8; 6], Memory>) -> Self {
        Nics { plan, links: BTreeMap::new(), nics: BTreeMap::new(), left: BTreeSet::new(), kept }
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
            if let Some(mac) = nic.link.mac {
                self.kept.insert(mac, nic.memory());
            }
        }
        self.plan = plan;
        let before = std::mem::take(&mut self.nics);
        let links: Vec<Link> = self.links.values().cloned().collect();
        let wishes = links.into_iter().flat_map(|link| self.link(link, tick)).collect();
        let heard = before.values().filter(|nic| nic.interface.ipv6 == Ipv6Method::Auto);
        self.left.extend(heard.map(|nic| nic.link.index));
        self.left.retain(|index| !self.nics.contains_key(index));
        wishes
    }

    /// The cards that the kernel is to hear no more routers on.
    pub fn left(&self) -> Vec<Link> {
        self.left.iter().filter_map(|index| self.links.get(index)).cloned().collect()
    }

    /// It does not, on this one.
    pub fn let_go(&mut self, index: u32) {
        self.left.remove(&index);
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
        let (name, carrier) = (link.name.clone(), link.carrier);
        let automatic6 = interface.ipv6 == Ipv6Method::Auto;
        let line = dhcp6::client::Line { carrier, managed: link.managed, other: link.other };
        let nic = match known {
            Some(nic) => Nic { link, order, interface: interface.clone(), ..nic },
            None => {
                let kept = link.mac.and_then(|mac| self.kept.remove(&mac)).unwrap_or_default();
                // With a carrier all the time nothing has to be asked.
                let (still4, still6) = (carrier && !kept.unconfirmed, carrier && !kept.unconfirmed6);
                let lease6 = kept.lease6.filter(|lease| automatic6 && lease.expire > tick.now);
                Nic {
                    dhcp4: (interface.dhcp4 && link.mac.is_some()).then(|| first(kept.lease, still4, tick.now)),
                    dhcp6: dhcp6::Client::new(lease6, kept.settings6.filter(|_| automatic6), still6),
                    resolvers: if automatic6 { kept.resolvers } else { Resolvers::default() },
                    link,
                    order,
                    interface: interface.clone(),
                }
            }
        };
        self.nics.insert(index, nic);
        if carrier != had_carrier {
            wishes.push(Wish::Say { name, text: format!("the carrier is {}", if carrier { "there" } else { "gone" }) });
            wishes.extend(self.dhcp4(index, &if carrier { Event::Up } else { Event::Down }, tick));
        }
        wishes.extend(self.dhcp6(index, |client, mac| client.link(line, mac, tick)));
        wishes
    }

    /// A router said whether addresses and other settings come by DHCPv6.
    pub fn managed(&mut self, index: u32, managed: bool, other: bool, tick: Tick) -> Vec<Wish> {
        match self.links.get(&index).cloned() {
            Some(link) => self.link(Link { managed, other, ..link }, tick),
            None => Vec::new(),
        }
    }

    /// A link is gone.
    pub fn gone(&mut self, index: u32) -> Vec<Wish> {
        self.links.remove(&index);
        self.left.remove(&index);
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

    /// A packet of DHCPv6 came in on a card.
    pub fn packet6(&mut self, index: u32, packet: &[u8], tick: Tick) -> Vec<Wish> {
        self.dhcp6(index, |client, mac| match dhcp6::message::Reply::parse(packet, mac) {
            Some(reply) => client.packet(&reply, mac, tick),
            None => Vec::new(),
        })
    }

    /// Another host of a card's link has this address.
    pub fn duplicate(&mut self, address: Address, tick: Tick) -> Vec<Wish> {
        match address.address {
            IpAddr::V6(taken) => self.dhcp6(address.index, |client, mac| client.duplicate(taken, mac, tick)),
            IpAddr::V4(_) => Vec::new(),
        }
    }

    /// A router advertisement came in on a card; `true`: there are other name servers than before.
    pub fn router(&mut self, index: u32, told: Vec<ra::Told>, now: Millis) -> bool {
        let nic = self.nics.get_mut(&index).filter(|nic| nic.interface.ipv6 == Ipv6Method::Auto);
        nic.is_some_and(|nic| nic.resolvers.take(told, now))
    }

    /// Deadlines may have come; `true`: name servers have ended.
    pub fn timer(&mut self, tick: Tick) -> (Vec<Wish>, bool) {
        let mut ended = false;
        for nic in self.nics.values_mut().filter(|nic| nic.resolvers.deadline().is_some_and(|end| end <= tick.now)) {
            nic.resolvers.end(tick.now);
            ended = true;
        }
        let indices: Vec<u32> = self.nics.keys().copied().collect();
        let mut wishes = Vec::new();
        for index in indices {
            wishes.extend(self.dhcp4(index, &Event::Timer, tick));
            wishes.extend(self.dhcp6(index, |client, mac| client.timer(mac, tick)));
        }
        (wishes, ended)
    }

    /// When [`Nics::timer`] is due.
    pub fn deadline(&self) -> Option<Millis> {
        let of = |nic: &Nic| {
            let dhcp4 = nic.dhcp4.as_ref().and_then(Client::deadline);
            [dhcp4, nic.dhcp6.deadline(), nic.resolvers.deadline()].into_iter().flatten().min()
        };
        self.nics.values().filter_map(of).min()
    }

    /// Has a card's client for IPv6 do something.
    fn dhcp6(
        &mut self,
        index: u32,
        what: impl FnOnce(&mut dhcp6::Client, [u8; 6]) -> Vec<dhcp6::client::Action>,
    ) -> Vec<Wish> {
        let Some(nic) = self.nics.get_mut(&index).filter(|nic| nic.interface.ipv6 == Ipv6Method::Auto) else {
            return Vec::new();
        };
        let Some(mac) = nic.link.mac else { return Vec::new() };
        let actions = what(&mut nic.dhcp6, mac);
        let wish = |action| match action {
            dhcp6::client::Action::Send(query) => Wish::Send6 { index, query },
            dhcp6::client::Action::Say(text) => Wish::Say { name: nic.link.name.clone(), text },
        };
        actions.into_iter().map(wish).collect()
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

/// A card's first state, with a lease that still runs; `still`: there was a carrier all the time.
fn first(kept: Option<Lease>, still: bool, now: Millis) -> Client {
    match kept.filter(|lease| lease.expire > now) {
        Some(lease) if still => Client::Bound(lease),
        kept => Client::new(kept),
    }
}
