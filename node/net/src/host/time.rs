//! The time: the network's or the plan's servers, their names' addresses, and the clock.

use crate::dns::{Lookup, is_host};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::sntp::client::{Action, Now};
use crate::sntp::clock::Clock;
use crate::sntp::message::LENGTH;
use crate::sntp::{Client, socket::Sockets};
use crate::sys;
use crate::time::{Millis, Tick};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// Servers that say nothing are waited for this long once there is a network: then a clock that shows no time before the
/// image's build is believed.
const PATIENCE: Millis = Millis::seconds(30);

/// For the names of the first round.
const NAMES: Millis = Millis::seconds(5);
/// Rounds without an answer after which names are looked up again.
const SILENT: u32 = 4;

/// What belongs to the time.
#[derive(Debug)]
pub struct Time {
    clock: Clock,
    client: Client,
    sockets: Sockets,
    /// The clock has shown a time before the image's build, in this run of the program or in one before it: only a server
    /// can say what time it is. Once one has, this is not asked any more.
    lost: bool,
    servers: Vec<String>,
    dns: Vec<IpAddr>,
    lookups: Vec<Lookup>,
    known: BTreeMap<String, Vec<IpAddr>>,
    /// Until when the first round waits for the names: one server that is found first must not decide alone.
    names_until: Option<Millis>,
    /// Until when servers are waited for.
    until: Option<Millis>,
    /// That time is over.
    waited: bool,
}

impl Time {
    /// Opens the sockets, and sets a clock that shows a time before the image's build to that.
    pub fn open(clock: Clock, earliest: i64, log: &mut Log) -> Result<Self> {
        let set = clock.not_before(earliest).map_err(Error::kernel("the clock"))?;
        let lost = set || Clock::is_lost(earliest);
        let why = match set {
            true => "it showed a time before the image was built, and is set to that",
            false => "it was set to the time at which the image was built, and by no time server since",
        };
        if lost {
            log.say("clock", &format!("{why}; waiting for time servers"));
        }
        Ok(Time {
            clock,
            client: Client::new(earliest),
            sockets: Sockets::open().map_err(Error::kernel("a UDP socket"))?,
            lost,
            servers: Vec::new(),
            dns: Vec::new(),
            lookups: Vec::new(),
            known: BTreeMap::new(),
            names_until: None,
            until: None,
            waited: false,
        })
    }

    /// The clock can be believed. `connected`: there is a network, so that servers could have answered.
    pub fn sane(&mut self, connected: bool, log: &mut Log) -> bool {
        if self.client.synced() {
            return true;
        }
        if self.lost || !connected {
            return false;
        }
        if self.servers.is_empty() {
            log.say("clock", "nobody names a time server; the machine's own clock is believed");
            return true;
        }
        self.until.get_or_insert(sys::now() + PATIENCE);
        if !self.waited {
            return false;
        }
        log.say("clock", "no time server has been of use; the machine's own clock is believed for now");
        true
    }

    /// The servers and name servers are these now.
    pub fn set_servers(&mut self, servers: &[String], dns: &[IpAddr], tick: Tick) {
        self.dns = dns.to_vec();
        if self.servers == servers {
            return;
        }
        self.servers = servers.to_vec();
        self.known.retain(|name, _| servers.contains(name));
        self.look_up(tick);
        self.names_until = (!self.lookups.is_empty()).then_some(tick.now + NAMES);
        self.tell_client(tick);
    }

    /// Looks up the names whose addresses are not known.
    fn look_up(&mut self, tick: Tick) {
        let servers = &self.servers;
        self.lookups.retain(|lookup| servers.iter().any(|server| server == lookup.name()));
        for server in servers.iter().filter(|server| server.parse::<IpAddr>().is_err()) {
            if !self.known.contains_key(server) && !self.lookups.iter().any(|lookup| lookup.name() == server) {
                self.lookups.push(Lookup::new(server.clone(), tick));
            }
        }
    }

    /// The network has changed: servers that were silent may be reached now.
    pub fn network_changed(&mut self, now: Millis) {
        self.client.hurry(now);
        self.lookups.iter_mut().for_each(|lookup| lookup.hurry(now));
    }

    /// The sockets to poll for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.fds().chain(self.lookups.iter().filter_map(Lookup::fd))
    }

    /// When [`Time::turn`] is due, whatever the sockets say.
    pub fn deadline(&self) -> Option<Millis> {
        let lookups = self.lookups.iter().map(Lookup::deadline);
        let until = self.until.filter(|_| !self.waited);
        lookups.chain(self.client.deadline()).chain(self.names_until).chain(until).min()
    }

    /// Reads what has come, and does what is due. `true`: whether the clock can be believed may have changed.
    pub fn turn(&mut self, tick: Tick, log: &mut Log) -> bool {
        let synced = self.client.synced();
        self.names(tick, log);
        let mut packet = [0; 2 * LENGTH];
        while let Some((from, length)) = self.sockets.receive(&mut packet) {
            let actions = self.client.packet(from, &packet[..length], now(tick));
            self.fulfil(actions, log);
        }
        let actions = self.client.timer(now(tick), || getrandom::u64().unwrap_or(u64::from(tick.random)));
        self.fulfil(actions, log);
        if self.client.silent() >= SILENT && !self.known.is_empty() {
            // Their names may have other addresses now; those of before are asked on until then.
            self.known.clear();
            self.look_up(tick);
        }
        let waited = !self.waited && self.until.is_some_and(|until| until <= tick.now);
        self.waited |= waited;
        waited || synced != self.client.synced()
    }

    fn names(&mut self, tick: Tick, log: &mut Log) {
        let mut found = Vec::new();
        for lookup in &mut self.lookups {
            match lookup.receive() {
                Some(addresses) => found.push((lookup.name().to_owned(), addresses)),
                None => {
                    if let Err(error) = lookup.timer(&self.dns, tick) {
                        log.say(lookup.name(), &format!("the time server's name cannot be looked up: {error}"));
                    }
                }
            }
        }
        let waited = self.names_until.is_some_and(|until| until <= tick.now);
        if !found.is_empty() || waited {
            self.lookups.retain(|lookup| found.iter().all(|(name, _)| name != lookup.name()));
            self.known.extend(found);
            if waited || self.lookups.is_empty() {
                self.names_until = None;
            }
            self.tell_client(tick);
        }
    }

    fn tell_client(&mut self, tick: Tick) {
        if self.names_until.is_some() {
            return;
        }
        let addresses = |server: &String| match server.parse::<IpAddr>() {
            Ok(address) => vec![address],
            // One of each name: they are one operator's.
            Err(_) => self.known.get(server).and_then(|list| list.first()).copied().into_iter().collect(),
        };
        let servers = self.servers.iter().flat_map(addresses).filter(|server| is_host(*server)).collect();
        self.client.set_servers(servers, tick);
    }

    fn fulfil(&mut self, actions: Vec<Action>, log: &mut Log) {
        for action in actions {
            let done = match action {
                Action::Say(text) => {
                    log.say("clock", &text);
                    Ok(())
                }
                Action::Send(to, packet) => {
                    if let Err(error) = self.sockets.send(&packet, to) {
                        log.say("clock", &format!("time server {to} cannot be asked: {error}"));
                    }
                    Ok(())
                }
                Action::Step(by) => self.clock.step(by),
                Action::Slew(by, seconds) => self.clock.slew(by, seconds),
            };
            if let Err(error) = done {
                log.say("clock", &format!("it cannot be set: {error}"));
            }
        }
    }
}

fn now(tick: Tick) -> Now {
    Now { tick, clock: Clock::now() }
}
