//! The names of time servers, and of each name one address that the node has a way to.

use crate::address::is_host;
use crate::dns::Lookup;
use crate::log::Log;
use crate::time::{Millis, Tick};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// For the names of the first round.
const FIRST: Millis = Millis::seconds(5);

/// The servers, as they are named: some by their addresses.
#[derive(Debug, Default)]
pub struct Names {
    servers: Vec<String>,
    lookups: Vec<Lookup>,
    known: BTreeMap<String, Vec<IpAddr>>,
    /// Until when the first round waits for the names: one server that is found first must not decide alone.
    until: Option<Millis>,
    /// How often all were looked up anew: each time another of a name's addresses is taken.
    round: usize,
}

impl Names {
    /// Nobody is named.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The servers are these now.
    pub fn set(&mut self, servers: &[String], tick: Tick) {
        if self.servers == servers {
            return;
        }
        self.servers = servers.to_vec();
        self.known.retain(|name, _| servers.contains(name));
        self.lookups.retain(|lookup| servers.iter().any(|server| server == lookup.name()));
        let known = &self.known;
        let unknown: Vec<String> = servers.iter().filter(|server| !known.contains_key(*server)).cloned().collect();
        self.look_up(unknown, tick);
        self.until = (!self.lookups.is_empty()).then_some(tick.now + FIRST);
    }

    /// All are looked up once more: they may have other addresses now. Those of before hold until then.
    pub fn again(&mut self, tick: Tick) {
        self.round = self.round.wrapping_add(1);
        self.look_up(self.servers.clone(), tick);
    }

    /// The network has changed: name servers that were silent may be reached now.
    pub fn hurry(&mut self, now: Millis) {
        self.lookups.iter_mut().for_each(|lookup| lookup.hurry(now));
    }

    /// The sockets to poll for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.lookups.iter().filter_map(Lookup::fd)
    }

    /// When [`Names::turn`] is due, whatever the sockets say.
    pub fn deadline(&self) -> Option<Millis> {
        self.lookups.iter().map(Lookup::deadline).chain(self.until).min()
    }

    /// Reads what has come from these name servers, and asks what is due; `true`: there may be other addresses than before.
    pub fn turn(&mut self, dns: &[IpAddr], tick: Tick, log: &mut Log) -> bool {
        let mut found = Vec::new();
        for lookup in &mut self.lookups {
            match lookup.receive(tick.now) {
                Some(addresses) => found.push((lookup.name().to_owned(), addresses)),
                None => {
                    if let Err(error) = lookup.timer(dns, tick) {
                        log.say(lookup.name(), &format!("the time server's name cannot be looked up: {error}"));
                    }
                }
            }
        }
        let waited = self.until.is_some_and(|until| until <= tick.now);
        let news = waited || !found.is_empty();
        for (name, addresses) in found {
            self.found(name, addresses);
        }
        if waited {
            self.until = None;
        }
        news
    }

    /// The servers' addresses, one of each name: they are one operator's. None: more names are waited for. `reaches`: the
    /// node has a way to an address.
    pub fn addresses(&self, reaches: impl Fn(IpAddr) -> bool) -> Option<Vec<IpAddr>> {
        if self.until.is_some() {
            return None;
        }
        let of = |server: &String| match server.parse::<IpAddr>() {
            // The answers come from the address as it is, in whatever form it was written.
            Ok(address) => Some(address.to_canonical()),
            Err(_) => self.known.get(server).and_then(|list| self.choose(list, &reaches)),
        };
        Some(self.servers.iter().filter_map(of).filter(|server| is_host(*server)).collect())
    }

    /// A machine of one family has no use for the other's addresses. While it has a way to none, it is asked for the first
    /// one's all the same: that says why.
    fn choose(&self, list: &[IpAddr], reaches: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let near: Vec<IpAddr> = list.iter().copied().filter(|address| reaches(*address)).collect();
        let list = if near.is_empty() { list } else { near.as_slice() };
        list.get(self.round % list.len().max(1)).copied()
    }

    fn look_up(&mut self, servers: Vec<String>, tick: Tick) {
        for server in servers.into_iter().filter(|server| server.parse::<IpAddr>().is_err()) {
            if !self.lookups.iter().any(|lookup| lookup.name() == server) {
                self.lookups.push(Lookup::new(server, tick));
            }
        }
    }

    fn found(&mut self, name: String, addresses: Vec<IpAddr>) {
        self.lookups.retain(|lookup| lookup.name() != name);
        self.known.insert(name, addresses);
        if self.lookups.is_empty() {
            self.until = None;
        }
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
