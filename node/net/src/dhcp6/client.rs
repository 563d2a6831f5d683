//! The client of one card: what happens and the time go in, what to do comes out.

use super::message::{Kind, Query, Reply};
use crate::ra::is_host;
use crate::time::{Millis, Tick};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// Waits between questions that nobody answers: doubled from the first to the last.
const FIRST: Millis = Millis::seconds(1);
const LAST: Millis = Millis::seconds(120);
/// Between questions for more time.
const RENEWAL: Millis = Millis::seconds(10);
/// Questions for one advertised address.
const TRIES: u32 = 5;
/// A lease that is shorter would keep the node asking without end.
const SHORTEST: u32 = 20;
/// Renewal sooner than this is the default in its place.
const SOONEST: u32 = 10;
const FOREVER: u32 = u32::MAX;
const DAY: u32 = 86_400;

/// An address for a time, with what came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The address; what is on its link is the router's to say.
    pub address: Ipv6Addr,
    /// The server's identifier.
    pub server: Vec<u8>,
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<Ipv6Addr>,
    /// When the server is asked again (all times since the machine's start).
    pub renew: Millis,
    /// When anybody is asked.
    pub rebind: Millis,
    /// When it ends.
    pub expire: Millis,
}

impl Lease {
    fn of(reply: &Reply, now: Millis) -> Result<Self, String> {
        if reply.status != 0 {
            return Err(format!("status {}", reply.status));
        }
        let given = reply.given.ok_or("it gives no address")?;
        if !is_host(given.address) || given.address.is_unicast_link_local() {
            return Err(format!("{} is no address of a host", given.address));
        }
        if given.seconds < SHORTEST {
            return Err(format!("a lease of {} s is shorter than {SHORTEST} s", given.seconds));
        }
        let seconds = if given.seconds == FOREVER { DAY } else { given.seconds };
        let t2 =
            Some(reply.t2).filter(|t2| (SOONEST..seconds).contains(t2)).unwrap_or((u64::from(seconds) * 4 / 5) as u32);
        let t1 = Some(reply.t1).filter(|t1| (SOONEST..=t2).contains(t1)).unwrap_or(t2.min(seconds / 2));
        let after = |seconds: u32| now + Millis::seconds(seconds.into());
        let hosts = |list: &[Ipv6Addr]| {
            list.iter().copied().filter(|one| is_host(*one) && !one.is_unicast_link_local()).collect()
        };
        Ok(Lease {
            address: given.address,
            server: reply.server.clone(),
            dns: hosts(&reply.dns),
            search: reply.search.clone(),
            ntp: hosts(&reply.ntp),
            renew: after(t1),
            rebind: after(t2),
            expire: after(seconds),
        })
    }
}

/// What is out, and when it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    kind: Kind,
    xid: u32,
    since: Millis,
    tries: u32,
    again: Millis,
}

/// The client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The address that the node has.
    lease: Option<Lease>,
    /// The one that was advertised.
    offer: Option<Lease>,
    asked: Option<Asked>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a packet to all servers of the link.
    Send(Query),
    /// Say something.
    Say(String),
}

impl Client {
    /// With what it had before this program was started anew.
    pub fn new(lease: Option<Lease>) -> Self {
        Client { lease, ..Client::default() }
    }

    /// What the node may use now.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// When [`Client::timer`] is due; none: the client has not begun.
    pub fn deadline(&self) -> Option<Millis> {
        let end = self.lease.as_ref().map(|lease| if self.asked.is_some() { lease.expire } else { lease.renew });
        self.asked.map(|asked| asked.again).into_iter().chain(end).min()
    }

    /// Begins, unless it has.
    pub fn start(&mut self, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        if self.lease.is_some() || self.asked.is_some() {
            return Vec::new();
        }
        self.ask(Kind::Solicit, mac, tick)
    }

    /// [`Client::deadline`] has come.
    pub fn timer(&mut self, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| deadline > tick.now) {
            return Vec::new();
        }
        if self.lease.as_ref().is_some_and(|lease| lease.expire <= tick.now) {
            *self = Client::default();
            let mut actions = self.ask(Kind::Solicit, mac, tick);
            actions.push(Action::Say("the DHCPv6 lease has ended and nobody renewed it; asking anew".into()));
            return actions;
        }
        let kind = match (&self.lease, &self.offer) {
            (Some(lease), _) if lease.rebind <= tick.now => Kind::Rebind,
            (Some(_), _) => Kind::Renew,
            (None, Some(_)) if self.asked.is_some_and(|asked| asked.tries < TRIES) => Kind::Request,
            (None, _) => {
                self.offer = None;
                Kind::Solicit
            }
        };
        self.ask(kind, mac, tick)
    }

    /// A packet came in on this card.
    pub fn packet(&mut self, reply: &Reply, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let Some(asked) = self.asked.filter(|asked| asked.xid == reply.xid) else { return Vec::new() };
        // While one server is meant, only its answers count.
        let meant = match asked.kind {
            Kind::Request => self.offer.as_ref(),
            Kind::Renew => self.lease.as_ref(),
            _ => None,
        };
        if meant.is_some_and(|meant| meant.server != reply.server) {
            return Vec::new();
        }
        let refused = |why: &str| vec![Action::Say(format!("an answer of a DHCPv6 server is not taken: {why}"))];
        match (asked.kind, reply.kind, Lease::of(reply, tick.now)) {
            (Kind::Solicit, Kind::Advertise, Ok(lease)) => {
                self.offer = Some(lease);
                self.asked = None;
                self.ask(Kind::Request, mac, tick)
            }
            (Kind::Request | Kind::Renew | Kind::Rebind, Kind::Reply, Ok(lease)) => {
                let news = self.lease.as_ref().is_none_or(|before| before.address != lease.address);
                let text = format!("a DHCPv6 server gives {}", lease.address);
                *self = Client { lease: Some(lease), ..Client::default() };
                news.then_some(Action::Say(text)).into_iter().collect()
            }
            (_, Kind::Advertise | Kind::Reply, Err(why)) => refused(&why),
            _ => Vec::new(),
        }
    }

    fn ask(&mut self, kind: Kind, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let before = self.asked.filter(|asked| asked.kind == kind);
        let fresh = Asked { kind, xid: tick.random & 0x00ff_ffff, since: tick.now, tries: 0, again: tick.now };
        let mut asked = before.unwrap_or(fresh);
        let least = if matches!(kind, Kind::Renew | Kind::Rebind) { RENEWAL } else { FIRST };
        asked.again = tick.about(Millis(least.0 << asked.tries.min(8)).min(LAST));
        asked.tries += 1;
        self.asked = Some(asked);
        let known = self.lease.as_ref().or(self.offer.as_ref());
        let query = Query {
            kind,
            xid: asked.xid,
            elapsed: ((tick.now - asked.since).0 / 10).try_into().unwrap_or(u16::MAX),
            mac,
            server: known.filter(|_| matches!(kind, Kind::Request | Kind::Renew)).map(|lease| lease.server.clone()),
            address: known.filter(|_| kind != Kind::Solicit).map(|lease| lease.address),
        };
        vec![Action::Send(query)]
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
