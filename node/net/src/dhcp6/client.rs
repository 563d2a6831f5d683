//! The client of one card: what happens and the time go in, what to do comes out.
//!
//! A lease that is held is renewed even if routers do not speak of DHCPv6 any more (RFC 8415 leaves it open): a router
//! that is started anew costs no address. Without one the client asks for what routers say is to be had.

use super::lease::{Lease, Settings};
use super::message::{Kind, NO_BINDING, NOT_ON_LINK, Query, Reply};
use crate::time::{Millis, Tick};
use std::net::Ipv6Addr;

/// Waits between questions that nobody answers: doubled from the first to the last.
const FIRST: Millis = Millis::seconds(1);
const LAST: Millis = Millis::seconds(120);
/// Between questions for more time.
const RENEWAL: Millis = Millis::seconds(10);
/// Questions for one advertised address.
const TRIES: u32 = 5;
/// For how long, and how seldom at most, it is asked whether an address is still one of the link (RFC 8415 §7.6).
const CONFIRM: Millis = Millis::seconds(10);
const CONFIRM_LAST: Millis = Millis::seconds(4);
/// Packets that give one address back.
const DECLINES: u32 = 4;
/// Before another address is asked for in the place of one that another host has; doubled each time: anybody on the link
/// can say of every address that it is his.
const DUPLICATE: Millis = Millis::seconds(10);
/// Doublings of it at most: some ten minutes.
const DOUBLINGS: u32 = 6;
/// What all hosts of a link ask at one event is asked at some time within this (RFC 8415 §18.2.3, §18.2.6).
const SPREAD: Millis = Millis::seconds(1);

/// What the link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// It has a carrier.
    pub carrier: bool,
    /// A router says that addresses come by DHCPv6.
    pub managed: bool,
    /// A router says that other settings do. Who asks for an address is told those as well, so the former counts for both.
    pub other: bool,
}

/// What is out, or waits for its time, and when it is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    kind: Kind,
    xid: u32,
    since: Millis,
    /// None: it is not out yet.
    tries: u32,
    again: Millis,
}

/// The client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    line: Line,
    /// The address that the node has.
    lease: Option<Lease>,
    /// What came without an address; none while there is one.
    settings: Option<Settings>,
    /// The one that was advertised, or that is given back.
    offer: Option<Lease>,
    asked: Option<Asked>,
    /// Addresses that another host had, one after the other.
    duplicates: u32,
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
    /// With what it had before this program was started anew. `carrier`: there was one all the time, and nothing has to be
    /// asked about it.
    pub fn new(lease: Option<Lease>, settings: Option<Settings>, carrier: bool) -> Self {
        let settings = settings.filter(|_| lease.is_none());
        Client { line: Line { carrier, ..Line::default() }, lease, settings, ..Client::default() }
    }

    /// The carrier was away, and nobody has said yet whether what it has is of this link.
    pub fn unconfirmed(&self) -> bool {
        let asks = self.asked.is_some_and(|asked| asked.kind == Kind::Confirm);
        (self.lease.is_some() || self.settings.is_some()) && (asks || !self.line.carrier)
    }

    /// What the node may use now.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// What it may use without an address of a server's.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// When [`Client::timer`] is due; none: there is nothing to ask for.
    pub fn deadline(&self) -> Option<Millis> {
        let idle = self.line.carrier && self.asked.is_none();
        let lease = self.lease.as_ref().map(|lease| if idle { lease.renew } else { lease.expire });
        let settings = self.settings.as_ref().filter(|_| idle).map(|settings| settings.refresh);
        self.asked.map(|asked| asked.again).into_iter().chain(lease).chain(settings).min()
    }

    /// The link is like this now.
    pub fn link(&mut self, line: Line, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let before = std::mem::replace(&mut self.line, line);
        if !line.carrier {
            // Nobody hears a question. What the node has it keeps as long as it holds.
            (self.asked, self.offer) = (None, None);
            return Vec::new();
        }
        if !before.carrier {
            // This may be another link (RFC 8415 §18.2.12).
            if self.lease.is_some() {
                self.later(Kind::Confirm, soon(tick), tick);
            }
            if let Some(settings) = &mut self.settings {
                settings.refresh = settings.refresh.min(tick.now);
            }
        }
        if line.managed && self.asked.is_some_and(|asked| asked.kind == Kind::Information) {
            self.asked = None;
        }
        // The other way round, what is out ends at its own deadline: a router that changes its mind with each packet does not
        // have a question sent with each.
        self.begin(mac, tick)
    }

    /// [`Client::deadline`] has come.
    pub fn timer(&mut self, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| deadline > tick.now) {
            return Vec::new();
        }
        if self.lease.as_ref().is_some_and(|lease| lease.expire <= tick.now) {
            return self.lost("the DHCPv6 lease has ended and nobody renewed it", mac, tick);
        }
        match self.next(tick.now) {
            Some(kind) => self.ask(kind, mac, tick),
            None => self.over(mac, tick),
        }
    }

    /// A packet came in on this card.
    pub fn packet(&mut self, reply: &Reply, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let Some(asked) = self.asked.filter(|asked| asked.xid == reply.xid && asked.tries > 0) else {
            return Vec::new();
        };
        // While one server is meant, only its answers count.
        let meant = match asked.kind {
            Kind::Request | Kind::Decline => self.offer.as_ref(),
            Kind::Renew => self.lease.as_ref(),
            _ => None,
        };
        if meant.is_some_and(|meant| meant.server != reply.server) {
            return Vec::new();
        }
        match (asked.kind, reply.kind) {
            (Kind::Solicit, Kind::Advertise) if self.line.managed => match Lease::of(reply, tick.now) {
                Ok(lease) => {
                    self.offer = Some(lease);
                    self.ask(Kind::Request, mac, tick)
                }
                Err(why) => refused(&why),
            },
            (Kind::Request, Kind::Reply) => match (Lease::of(reply, tick.now), self.held()) {
                (Ok(lease), _) => self.had(lease),
                // Asked for the address that the node has (RFC 8415 §18.2.10.1). Without one a server that advertises what it
                // refuses would be asked all the time.
                (Err(_), Some(held)) if reply.status == NOT_ON_LINK => self.lost(&elsewhere(held), mac, tick),
                (Err(why), _) => refused(&why),
            },
            (Kind::Renew | Kind::Rebind, Kind::Reply) => self.renewed(reply, mac, tick),
            (Kind::Confirm, Kind::Reply) => self.confirmed(reply.status, mac, tick),
            (Kind::Information, Kind::Reply) => match Settings::of(reply, tick.now) {
                Ok(settings) => self.told(settings),
                Err(why) => refused(&why),
            },
            // Whatever it says of it: it knows.
            (Kind::Decline, Kind::Reply) => self.over(mac, tick),
            _ => Vec::new(),
        }
    }

    /// The kernel has seen that another host of the link has an address (RFC 4862 §5.4): if it is the lease's, the server has
    /// to know (RFC 8415 §18.2.8), and gives another one.
    pub fn duplicate(&mut self, address: Ipv6Addr, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let Some(lease) = self.lease.take_if(|lease| lease.address == address) else { return Vec::new() };
        self.duplicates = self.duplicates.saturating_add(1);
        (self.offer, self.asked) = (None, None);
        let mut actions =
            vec![Action::Say(format!("another host has {address}, which a DHCPv6 server gave; it is given back"))];
        if self.line.carrier {
            self.offer = Some(lease);
            actions.extend(self.ask(Kind::Decline, mac, tick));
        }
        actions
    }

    /// The address that the node has.
    fn held(&self) -> Option<Ipv6Addr> {
        self.lease.as_ref().map(|lease| lease.address)
    }

    /// A server's answer to a question for more time.
    fn renewed(&mut self, reply: &Reply, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let Some(held) = self.lease.clone() else { return Vec::new() };
        match Lease::of(reply, tick.now) {
            Ok(lease) => self.had(lease),
            // It has lost its leases, or this one was another server's (RFC 8415 §18.2.10.1). The address holds meanwhile.
            Err(_) if reply.status == NO_BINDING => {
                self.offer = Some(Lease { server: reply.server.clone(), ..held });
                self.ask(Kind::Request, mac, tick)
            }
            Err(_) if reply.withdrawn.contains(&held.address) => {
                self.lost(&format!("the DHCPv6 server takes {} back", held.address), mac, tick)
            }
            Err(why) => refused(&why),
        }
    }

    /// A server's answer to the question whether the address is still one of the link. The first one counts: while the
    /// address is a wrong one the node cannot be reached.
    fn confirmed(&mut self, status: u16, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        match (status, self.held()) {
            (0, _) => self.over(mac, tick),
            (NOT_ON_LINK, Some(held)) => self.lost(&elsewhere(held), mac, tick),
            _ => refused(&format!("status {status}")),
        }
    }

    /// There is a lease.
    fn had(&mut self, lease: Lease) -> Vec<Action> {
        let news = self.lease.as_ref().is_none_or(|before| before.address != lease.address);
        let text = format!("a DHCPv6 server gives {}", lease.address);
        // One that is held for a second time has been nobody else's.
        let duplicates = if news { self.duplicates } else { 0 };
        *self = Client { line: self.line, lease: Some(lease), duplicates, ..Client::default() };
        news.then_some(Action::Say(text)).into_iter().collect()
    }

    /// There are settings.
    fn told(&mut self, settings: Settings) -> Vec<Action> {
        let (dns, ntp) = (settings.dns.len(), settings.ntp.len());
        self.asked = None;
        let before = self.settings.replace(settings);
        let say = Action::Say(format!("a DHCPv6 server tells of name servers ({dns}) and time servers ({ntp})"));
        before.is_none().then_some(say).into_iter().collect()
    }

    /// There is no lease any more.
    fn lost(&mut self, why: &str, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        (self.lease, self.offer, self.asked) = (None, None, None);
        let mut actions = self.begin(mac, tick);
        let then = if self.asked.is_some() { "; asking anew" } else { "" };
        actions.push(Action::Say(format!("{why}{then}")));
        actions
    }

    /// What was asked is at its end, with or without an answer.
    fn over(&mut self, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        self.offer = None;
        match self.asked.take() {
            Some(Asked { kind: Kind::Decline, .. }) => {
                let wait = Millis(DUPLICATE.0 << self.duplicates.saturating_sub(1).min(DOUBLINGS));
                self.later(Kind::Solicit, tick.about(wait), tick);
                Vec::new()
            }
            _ => self.begin(mac, tick),
        }
    }

    /// Asks for what is to be had on this link, unless it is had, or something is asked.
    fn begin(&mut self, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        if !self.line.carrier || self.lease.is_some() || self.asked.is_some() {
            return Vec::new();
        }
        if self.line.managed {
            return self.ask(Kind::Solicit, mac, tick);
        }
        if self.settings.as_ref().is_some_and(|settings| settings.refresh > tick.now) {
            return Vec::new();
        }
        if self.line.other {
            self.later(Kind::Information, soon(tick), tick);
            return Vec::new();
        }
        let ended = self.settings.take();
        let say = |_| Action::Say("no router speaks of DHCPv6 any more; what a server told has ended".into());
        ended.map(say).into_iter().collect()
    }

    /// What is asked next, now that its time has come; none: nothing more about what was asked.
    fn next(&self, now: Millis) -> Option<Kind> {
        match (self.asked, &self.lease) {
            (Some(asked), _) if asked.kind == Kind::Confirm => {
                // Nobody answers: the lease holds as long as it said.
                (asked.tries == 0 || now - asked.since < CONFIRM).then_some(Kind::Confirm)
            }
            (Some(asked), _) if asked.kind == Kind::Request && asked.tries < TRIES => Some(Kind::Request),
            (Some(asked), _) if asked.kind == Kind::Decline => (asked.tries < DECLINES).then_some(Kind::Decline),
            (_, Some(lease)) if lease.rebind <= now => Some(Kind::Rebind),
            (_, Some(_)) => Some(Kind::Renew),
            (Some(asked), None) if asked.kind == Kind::Information => {
                (self.line.other && !self.line.managed).then_some(Kind::Information)
            }
            (Some(_), None) => self.line.managed.then_some(Kind::Solicit),
            (None, None) => None,
        }
    }

    /// Has something asked at a time.
    fn later(&mut self, kind: Kind, again: Millis, tick: Tick) {
        self.asked = Some(Asked { again, ..Asked::new(kind, tick) });
    }

    fn ask(&mut self, kind: Kind, mac: [u8; 6], tick: Tick) -> Vec<Action> {
        let mut asked = self.asked.filter(|asked| asked.kind == kind).unwrap_or(Asked::new(kind, tick));
        if asked.tries == 0 {
            asked.since = tick.now;
        }
        let (least, most) = match kind {
            Kind::Renew | Kind::Rebind => (RENEWAL, LAST),
            Kind::Confirm => (FIRST, CONFIRM_LAST),
            _ => (FIRST, LAST),
        };
        asked.again = tick.about(Millis(least.0 << asked.tries.min(8)).min(most));
        // From then on it is anybody who is asked (RFC 8415 §18.2.4). That is later than now, or it would not be this kind.
        if let (Kind::Renew, Some(lease)) = (kind, &self.lease) {
            asked.again = asked.again.min(lease.rebind);
        }
        asked.tries += 1;
        self.asked = Some(asked);
        let known = match kind {
            Kind::Request | Kind::Decline => self.offer.as_ref(),
            Kind::Confirm | Kind::Renew | Kind::Rebind => self.lease.as_ref(),
            _ => None,
        };
        let one = matches!(kind, Kind::Request | Kind::Renew | Kind::Decline);
        let query = Query {
            kind,
            xid: asked.xid,
            elapsed: ((tick.now - asked.since).0 / 10).try_into().unwrap_or(u16::MAX),
            mac,
            server: known.filter(|_| one).map(|lease| lease.server.clone()),
            address: known.map(|lease| lease.address),
        };
        if !matches!(kind, Kind::Request | Kind::Decline) {
            self.offer = None;
        }
        vec![Action::Send(query)]
    }
}

impl Asked {
    fn new(kind: Kind, tick: Tick) -> Self {
        Asked { kind, xid: tick.random & 0x00ff_ffff, since: tick.now, tries: 0, again: tick.now }
    }
}

fn refused(why: &str) -> Vec<Action> {
    vec![Action::Say(format!("an answer of a DHCPv6 server is not taken: {why}"))]
}

fn elsewhere(address: Ipv6Addr) -> String {
    format!("a DHCPv6 server says that {address} is no address of this link")
}

/// Some time within [`SPREAD`].
fn soon(tick: Tick) -> Millis {
    tick.now + Millis(u64::from(tick.random) % SPREAD.0)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
