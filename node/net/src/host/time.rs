//! The time: the network's or the plan's servers, and the clock.

use super::names::Names;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::reads::Reads;
use crate::sntp::Client;
use crate::sntp::client::{Action, Now};
use crate::sntp::clock::Clock;
use crate::sntp::message::LENGTH;
use crate::sntp::socket::{Sockets, reaches};
use crate::sys;
use crate::time::{Millis, Tick};
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// Servers that say nothing are waited for this long once there is a network: then a clock that shows no time before the
/// image's build is believed.
const PATIENCE: Millis = Millis::seconds(30);

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
    names: Names,
    dns: Vec<IpAddr>,
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
            names: Names::default(),
            dns: Vec::new(),
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
        if self.names.is_empty() {
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

    /// The servers and name servers are these now. Something has happened: there may be a way to another of a name's
    /// addresses as well.
    pub fn set_servers(&mut self, servers: &[String], dns: &[IpAddr], tick: Tick) {
        self.dns = dns.to_vec();
        self.names.set(servers, tick);
        self.tell_client(tick);
    }

    /// The network has changed: servers that were silent may be reached now.
    pub fn network_changed(&mut self, now: Millis) {
        self.client.hurry(now);
        self.names.hurry(now);
    }

    /// The sockets to poll for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.fds().chain(self.names.fds())
    }

    /// When [`Time::turn`] is due, whatever the sockets say.
    pub fn deadline(&self) -> Option<Millis> {
        let until = self.until.filter(|_| !self.waited);
        [self.names.deadline(), self.client.deadline(), until].into_iter().flatten().min()
    }

    /// Reads what has come, and does what is due. `true`: whether the clock can be believed may have changed.
    pub fn turn(&mut self, tick: Tick, log: &mut Log) -> Result<bool> {
        let synced = self.client.synced();
        if self.names.turn(&self.dns, tick, log) {
            self.tell_client(tick);
        }
        for v6 in [false, true] {
            self.packets(v6, tick, log).map_err(Error::kernel("a UDP socket"))?;
        }
        let actions = self.client.timer(now(tick), || getrandom::u64().unwrap_or(u64::from(tick.random)));
        self.fulfil(actions, log);
        look_again(&mut self.client, &mut self.names, tick);
        let waited = !self.waited && self.until.is_some_and(|until| until <= tick.now);
        self.waited |= waited;
        Ok(waited || synced != self.client.synced())
    }

    /// Reads one family's socket: a flood of the one leaves the other as it is.
    fn packets(&mut self, v6: bool, tick: Tick, log: &mut Log) -> io::Result<()> {
        let (mut reads, mut packet) = (Reads::default(), [0; 2 * LENGTH]);
        while let Some((from, length)) = reads.one(|| self.sockets.receive(v6, &mut packet))? {
            let actions = self.client.packet(from, &packet[..length], now(tick));
            self.fulfil(actions, log);
        }
        Ok(())
    }

    fn tell_client(&mut self, tick: Tick) {
        if let Some(servers) = self.names.addresses(reaches) {
            self.client.set_servers(servers, tick);
        }
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

/// Servers that were silent for some rounds are looked for by their names once more, and have as many rounds from then on.
fn look_again(client: &mut Client, names: &mut Names, tick: Tick) {
    if client.silent() >= SILENT {
        client.forget_silence();
        names.again(tick);
    }
}

/// Both clocks are read here, as a packet was read or is about to go out: the tick is as old as its turn of the loop, which
/// has done other things since. The steady one first: a pause between the two makes the way longer, and the answer one that
/// others win against; the other way round it would make the clock wrong, and nobody could tell.
fn now(tick: Tick) -> Now {
    let steady = sys::nanoseconds();
    Now { tick, clock: Clock::now(), steady }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its name is found at once each time, and the server is deaf.
    #[test]
    fn a_server_that_is_silent_is_looked_up_again_but_seldom() {
        let (mut client, mut names) = (Client::new(0), Names::default());
        let servers = ["ntp.example".to_owned()];
        let (mut lookups, mut questions) = (0, 0);
        for millis in (0..60_000).step_by(10) {
            let tick = Tick { now: Millis(millis), random: 7 };
            names.set(&servers, tick);
            if !names.asked().is_empty() {
                lookups += 1;
                names.finds("ntp.example", &[IpAddr::from([192, 0, 2, 1])]);
            }
            if let Some(servers) = names.addresses(|_| true) {
                client.set_servers(servers, tick);
            }
            let actions = client.timer(Now { tick, clock: 0, steady: 0 }, || 1);
            questions += actions.iter().filter(|action| matches!(action, Action::Send(..))).count();
            look_again(&mut client, &mut names, tick);
        }
        assert!(questions >= 4, "the server is asked: {questions}");
        assert!((2..5).contains(&lookups), "{lookups} look-ups in a minute");
    }
}
