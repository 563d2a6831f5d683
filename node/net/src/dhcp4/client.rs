//! The client of one card: what happens and the time go in, the new state and what to do come out.
//!
//! After RFC 2131 §4.4, but there is no probe for whether somebody has the address already (docs/network.md says why).

use super::lease::Lease;
use super::message::{Kind, Query, Reply};
use crate::time::{Millis, Tick};
use std::net::Ipv4Addr;

/// Waits between questions that nobody answers: doubled from the first to the last.
const FIRST: Millis = Millis::seconds(2);
const LAST: Millis = Millis::seconds(32);
/// Between questions for an address that the node has: half of what is left, an eighth once it is anybody who is asked,
/// and no less than this (RFC 2131 §4.4.5 says half and 60 s; a node that is about to lose its network is worth more).
const RENEWAL: Millis = Millis::seconds(10);
/// Questions for one offer, or for the lease of before: after that from the start.
const TRIES: u32 = 4;
/// Before the start is tried again after a refusal: a server that refuses everything is asked without hurry.
const REFUSED: Millis = Millis::seconds(10);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The card.
    pub mac: [u8; 6],
    /// The node's name, which servers may put into DNS.
    pub host_name: Option<String>,
}

/// A question that is out, and when it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    xid: u32,
    since: Millis,
    sent: Millis,
    tries: u32,
    again: Millis,
}

/// Where the client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// No carrier; a lease from before may be waited with.
    Down(Option<Lease>),
    /// Waits for its start.
    Init(Millis),
    /// DISCOVER is out.
    Selecting(Asked),
    /// REQUEST for an offer is out.
    Requesting(Asked, Lease),
    /// REQUEST for the lease of before is out: the carrier was away, this may be another segment.
    Rebooting(Asked, Lease),
    /// All is well.
    Bound(Lease),
    /// Its server is asked for more time.
    Renewing(Asked, Lease),
    /// Anybody is asked for more time.
    Rebinding(Asked, Lease),
}

/// What happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// There is a carrier.
    Up,
    /// The carrier is gone.
    Down,
    /// A packet came in on this card.
    Packet(&'a Reply),
    /// [`Client::deadline`] has come.
    Timer,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a packet: to everybody, or to one server.
    Send(Query, Option<Ipv4Addr>),
    /// Say something.
    Say(String),
}

/// The new state, and what to do.
pub type Step = (Client, Vec<Action>);

impl Client {
    /// The client of a card, with what it had before this program was started anew.
    pub fn new(lease: Option<Lease>) -> Self {
        Client::Down(lease)
    }

    /// What the node may use now.
    pub fn lease(&self) -> Option<&Lease> {
        match self {
            Client::Down(lease) => lease.as_ref(),
            Client::Init(_) | Client::Selecting(_) | Client::Requesting(..) => None,
            Client::Rebooting(_, lease) | Client::Bound(lease) => Some(lease),
            Client::Renewing(_, lease) | Client::Rebinding(_, lease) => Some(lease),
        }
    }

    /// The carrier was away, and nobody has said yet whether its lease is one of this segment.
    pub fn unconfirmed(&self) -> bool {
        matches!(self, Client::Down(Some(_)) | Client::Rebooting(..))
    }

    /// When the next [`Event::Timer`] is due.
    pub fn deadline(&self) -> Option<Millis> {
        match self {
            Client::Down(lease) => lease.as_ref().map(|lease| lease.expire),
            Client::Init(start) => Some(*start),
            Client::Selecting(asked) | Client::Requesting(asked, _) => Some(asked.again),
            Client::Rebooting(asked, lease) => Some(asked.again.min(lease.expire)),
            Client::Bound(lease) => Some(lease.renew),
            Client::Renewing(asked, lease) => Some(asked.again.min(lease.rebind)),
            Client::Rebinding(asked, lease) => Some(asked.again.min(lease.expire)),
        }
    }
}

/// One step.
pub fn step(who: &Identity, client: Client, event: &Event<'_>, tick: Tick) -> Step {
    match event {
        Event::Up => up(who, client, tick),
        Event::Down => (Client::Down(client.lease().cloned()), Vec::new()),
        Event::Packet(reply) if reply.mac == who.mac => packet(who, client, reply, tick),
        Event::Packet(_) => (client, Vec::new()),
        Event::Timer if client.deadline().is_some_and(|deadline| deadline <= tick.now) => timer(who, client, tick),
        Event::Timer => (client, Vec::new()),
    }
}

fn up(who: &Identity, client: Client, tick: Tick) -> Step {
    match client {
        Client::Down(Some(lease)) if lease.expire > tick.now => {
            let asked = Asked::new(tick);
            let query = query(who, Kind::Request, &asked, Ipv4Addr::UNSPECIFIED).wanting(lease.address);
            (Client::Rebooting(asked, lease), vec![Action::Send(query, None)])
        }
        Client::Down(_) => discover(who, Asked::new(tick)),
        other => (other, Vec::new()),
    }
}

fn packet(who: &Identity, client: Client, reply: &Reply, tick: Tick) -> Step {
    let asked = match &client {
        Client::Selecting(asked) | Client::Requesting(asked, _) | Client::Rebooting(asked, _) => *asked,
        Client::Renewing(asked, _) | Client::Rebinding(asked, _) => *asked,
        Client::Down(_) | Client::Init(_) | Client::Bound(_) => return (client, Vec::new()),
    };
    if reply.xid != asked.xid {
        return (client, Vec::new());
    }
    // Of whom an answer counts: while one server is meant, of that one.
    let meant = match &client {
        Client::Requesting(_, lease) | Client::Renewing(_, lease) => Some(lease.server),
        _ => None,
    };
    if meant.is_some_and(|meant| reply.server != Some(meant)) {
        return (client, Vec::new());
    }
    match (reply.kind, client) {
        (Kind::Offer, Client::Selecting(_)) => match Lease::of(reply, asked.sent) {
            Ok(lease) => request(who, lease, asked.xid, tick),
            Err(why) => (Client::Selecting(asked), vec![refused(reply, &why)]),
        },
        (Kind::Ack, client @ Client::Selecting(_)) => (client, Vec::new()),
        (Kind::Ack, client) => match Lease::of(reply, asked.sent) {
            Ok(lease) => (Client::Bound(lease.clone()), news(client.lease(), &lease)),
            Err(why) => (client, vec![refused(reply, &why)]),
        },
        (Kind::Nak, Client::Selecting(_)) => (Client::Selecting(asked), Vec::new()),
        (Kind::Nak, client) => {
            let say = Action::Say(format!("DHCP server {} refuses the address; asking anew", server(reply)));
            if client.lease().is_none() {
                return (Client::Init(tick.about(REFUSED)), vec![say]);
            }
            // Each moment without an address costs the node; what is offered next may be refused but once in a while.
            let (client, actions) = discover(who, Asked::new(tick));
            (client, [vec![say], actions].concat())
        }
        (_, client) => (client, Vec::new()),
    }
}

fn timer(who: &Identity, client: Client, tick: Tick) -> Step {
    match client {
        Client::Down(_) => (Client::Down(None), vec![Action::Say("the lease has ended, without a carrier".into())]),
        Client::Init(_) => discover(who, Asked::new(tick)),
        Client::Selecting(asked) => {
            let (client, mut actions) = discover(who, asked.again(tick));
            if asked.tries + 1 == TRIES {
                actions.push(Action::Say("no DHCP server answers; asking on".into()));
            }
            (client, actions)
        }
        Client::Requesting(asked, lease) if asked.tries < TRIES => {
            let asked = asked.again(tick);
            let query = chosen(who, &asked, &lease);
            (Client::Requesting(asked, lease), vec![Action::Send(query, None)])
        }
        Client::Requesting(..) => discover(who, Asked::new(tick)),
        Client::Rebooting(_, lease) if lease.expire <= tick.now => expired(who, tick),
        Client::Rebooting(asked, lease) if asked.tries < TRIES => {
            let asked = asked.again(tick);
            let query = query(who, Kind::Request, &asked, Ipv4Addr::UNSPECIFIED).wanting(lease.address);
            (Client::Rebooting(asked, lease), vec![Action::Send(query, None)])
        }
        // Nobody answers: the lease holds as long as it said (RFC 2131 §3.2).
        Client::Rebooting(_, lease) => (Client::Bound(lease), Vec::new()),
        Client::Bound(lease) => renew(who, lease, Asked::new(tick), tick),
        Client::Renewing(asked, lease) => renew(who, lease, asked.again(tick), tick),
        Client::Rebinding(_, lease) if lease.expire <= tick.now => expired(who, tick),
        Client::Rebinding(asked, lease) => renew(who, lease, asked.again(tick), tick),
    }
}

fn discover(who: &Identity, asked: Asked) -> Step {
    let query = query(who, Kind::Discover, &asked, Ipv4Addr::UNSPECIFIED);
    (Client::Selecting(asked), vec![Action::Send(query, None)])
}

fn request(who: &Identity, lease: Lease, xid: u32, tick: Tick) -> Step {
    let asked = Asked { xid, ..Asked::new(tick) };
    let query = chosen(who, &asked, &lease);
    (Client::Requesting(asked, lease), vec![Action::Send(query, None)])
}

/// REQUEST for an offer.
fn chosen(who: &Identity, asked: &Asked, lease: &Lease) -> Query {
    let query = query(who, Kind::Request, asked, Ipv4Addr::UNSPECIFIED).wanting(lease.address);
    Query { server: Some(lease.server), ..query }
}

/// REQUEST for more time: of the server, and from `rebind` on of anybody.
fn renew(who: &Identity, lease: Lease, mut asked: Asked, tick: Tick) -> Step {
    if lease.expire <= tick.now {
        return expired(who, tick);
    }
    let rebinding = lease.rebind <= tick.now;
    let wait = if rebinding { (lease.expire - tick.now).0 / 8 } else { (lease.rebind - tick.now).0 / 2 };
    asked.again = tick.about(Millis(wait).max(RENEWAL));
    let query = query(who, Kind::Request, &asked, lease.address);
    if rebinding {
        let text = format!("DHCP server {} does not renew {}; asking any", lease.server, lease.address);
        let say = Action::Say(text);
        return (Client::Rebinding(asked, lease), vec![Action::Send(query, None), say]);
    }
    let server = lease.server;
    (Client::Renewing(asked, lease), vec![Action::Send(query, Some(server))])
}

fn expired(who: &Identity, tick: Tick) -> Step {
    let (client, mut actions) = discover(who, Asked::new(tick));
    actions.push(Action::Say("the lease has ended and nobody renewed it; asking anew".into()));
    (client, actions)
}

fn query(who: &Identity, kind: Kind, asked: &Asked, current: Ipv4Addr) -> Query {
    Query {
        kind,
        xid: asked.xid,
        seconds: (asked.sent - asked.since).as_seconds().try_into().unwrap_or(u16::MAX),
        mac: who.mac,
        current,
        requested: None,
        server: None,
        host_name: who.host_name.clone(),
    }
}

impl Query {
    fn wanting(self, address: Ipv4Addr) -> Self {
        Query { requested: Some(address), ..self }
    }
}

impl Asked {
    fn new(tick: Tick) -> Self {
        Asked { xid: tick.random, since: tick.now, sent: tick.now, tries: 1, again: tick.about(FIRST) }
    }

    /// Asked once more: under the same number, so that a late answer counts.
    fn again(self, tick: Tick) -> Self {
        let wait = Millis(FIRST.0 << self.tries.min(8)).min(LAST);
        Asked { sent: tick.now, tries: self.tries + 1, again: tick.about(wait), ..self }
    }
}

/// A line about a lease that is another than before.
fn news(before: Option<&Lease>, lease: &Lease) -> Vec<Action> {
    if before.is_some_and(|before| before.address == lease.address && before.server == lease.server) {
        return Vec::new();
    }
    let text = format!("DHCP server {} gives {}/{}", lease.server, lease.address, lease.prefix);
    vec![Action::Say(text)]
}

fn refused(reply: &Reply, why: &str) -> Action {
    Action::Say(format!("an answer of DHCP server {} is not taken: {why}", server(reply)))
}

fn server(reply: &Reply) -> String {
    reply.server.map_or("without a name".into(), |server| server.to_string())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
