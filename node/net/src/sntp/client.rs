//! The client: rounds of questions to all servers, a judgement, a correction. What happens and the time go in, what to do
//! comes out.

use super::judge::{Sample, best};
use super::message::{self, LENGTH, Reply, SECOND};
use crate::time::{Millis, Tick};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Servers of one round.
const SERVERS: usize = 4;
/// For the answers of a round.
const ROUND: Millis = Millis::seconds(2);
/// Between rounds, until the clock is set and after that; and after a kiss of death.
const FIRST: Millis = Millis::seconds(2);
const SHORTEST: Millis = Millis::seconds(64);
const LONGEST: Millis = Millis::seconds(1024);
/// The clock is turned to the time up to here, and set beyond (`adjtimex(2)` turns half a second).
const STEP: i64 = SECOND / 2;
/// Below this the clock is well, and is looked at less often.
const WELL: i64 = SECOND / 20;
/// A clock that nobody turns goes wrong by one part in so many at most: more the kernel does not correct either.
const DRIFT: u64 = 2000;
/// Servers that all refuse are asked once more after this: who refused may have been told to by mistake, and without any
/// a clock is never set.
const PAUSE: Millis = Millis::seconds(3600);
/// Servers that refused, as many as are remembered; they come from the network.
const REFUSALS: usize = 64;

/// A question that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    server: IpAddr,
    nonce: u64,
    /// When, by this machine's clock, and by the one that nobody sets.
    clock: i64,
    steady: i64,
}

/// A round said that a clock that was well is far off: a second one must say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    offset: i64,
    at: Millis,
}

impl Doubt {
    /// This offset at this time is the same, seen later.
    fn says(&self, offset: i64, now: Millis) -> bool {
        let passed = (now - self.at).0.saturating_mul(1_000_000);
        self.offset.abs_diff(offset) <= STEP.unsigned_abs().saturating_add(passed / DRIFT)
    }
}

/// The moment of an event, by all clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Time since the start, and chance.
    pub tick: Tick,
    /// The machine's clock, nanoseconds since 1970.
    pub clock: i64,
    /// Nanoseconds since the start, read with the clock: nobody sets it.
    pub steady: i64,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a packet to a server.
    Send(IpAddr, [u8; LENGTH]),
    /// Set the clock: it is off by so many nanoseconds.
    Step(i64),
    /// Turn it slowly; the next look comes after so many seconds.
    Slew(i64, u64),
    /// Say something.
    Say(String),
}

/// The client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Seconds since 1970 before which it cannot be.
    earliest: i64,
    servers: Vec<IpAddr>,
    /// Servers that do not want to be asked.
    refused: BTreeSet<IpAddr>,
    asked: Vec<Asked>,
    samples: Vec<Sample>,
    /// The end of the round, or the start of the next.
    due: Option<Millis>,
    wait: Millis,
    /// No round comes sooner: a server asked for it.
    least: Millis,
    synced: bool,
    /// Rounds without an answer, one after the other.
    silent: u32,
    /// All servers refused once: until when those who did are not asked.
    pause: Option<Millis>,
    /// What the last round said, if it wanted to set a clock that was well before.
    doubt: Option<Doubt>,
}

impl Client {
    /// Without servers yet.
    pub fn new(earliest: i64) -> Self {
        Client {
            earliest,
            servers: Vec::new(),
            refused: BTreeSet::new(),
            asked: Vec::new(),
            samples: Vec::new(),
            due: None,
            wait: FIRST,
            least: Millis(0),
            synced: false,
            silent: 0,
            pause: None,
            doubt: None,
        }
    }

    /// The clock has been set by a server.
    pub fn synced(&self) -> bool {
        self.synced
    }

    /// So many rounds had no answer: the servers may be others by now.
    pub fn silent(&self) -> u32 {
        self.silent
    }

    /// What can be done about the silence was done: it counts from here on.
    pub fn forget_silence(&mut self) {
        self.silent = 0;
    }

    /// When [`Client::timer`] is due.
    pub fn deadline(&self) -> Option<Millis> {
        self.due
    }

    /// The servers are these now; others than before are asked at once.
    pub fn set_servers(&mut self, mut servers: Vec<IpAddr>, tick: Tick) {
        // Who is named twice has one voice: with two it would be a majority against others.
        let mut named = BTreeSet::new();
        servers.retain(|server| named.insert(*server));
        if servers == self.servers {
            return;
        }
        self.servers = servers;
        self.silent = 0;
        self.asked.clear();
        self.samples.clear();
        self.wait = if self.synced { SHORTEST } else { FIRST };
        self.due = (!self.servers.is_empty()).then_some(tick.now);
    }

    /// A clock that was never set is asked for soon, as at first.
    pub fn hurry(&mut self, now: Millis) {
        if !self.synced && self.asked.is_empty() {
            self.wait = FIRST;
            self.due = self.due.map(|due| due.min(now + self.least));
        }
    }

    /// [`Client::deadline`] has come; `random` gives the questions' numbers.
    pub fn timer(&mut self, now: Now, mut random: impl FnMut() -> u64) -> Vec<Action> {
        if self.due.is_none_or(|due| due > now.tick.now) {
            return Vec::new();
        }
        if !self.asked.is_empty() || !self.samples.is_empty() {
            return self.judge(now);
        }
        if self.pause.is_some_and(|end| end <= now.tick.now) {
            self.pause = None;
            self.refused.clear();
        }
        let servers = self.servers.iter().filter(|server| !self.refused.contains(server)).take(SERVERS);
        self.asked = servers
            .map(|server| Asked { server: *server, nonce: random(), clock: now.clock, steady: now.steady })
            .collect();
        if self.asked.is_empty() {
            // Another network does not shorten it, and other servers who refused before do not put it off.
            let begins = self.pause.is_none();
            self.due = Some(*self.pause.get_or_insert_with(|| now.tick.about(PAUSE)));
            let text = "no time server wants to be asked; asking again in an hour; name others";
            return begins.then(|| Action::Say(text.into())).into_iter().collect();
        }
        self.due = Some(now.tick.now + ROUND);
        self.asked.iter().map(|asked| Action::Send(asked.server, message::question(asked.nonce))).collect()
    }

    /// A packet came in from port 123 of an address.
    pub fn packet(&mut self, from: IpAddr, packet: &[u8], now: Now) -> Vec<Action> {
        let Some(place) = self.asked.iter().position(|asked| asked.server == from) else { return Vec::new() };
        let asked = self.asked[place];
        let refuse = |why: &str| Action::Say(format!("an answer of time server {from} is not taken: {why}"));
        let mut actions = Vec::new();
        match message::parse(packet, asked.nonce, self.earliest) {
            // Not the answer: the answer may come yet.
            Err(why) => return vec![refuse(why)],
            Ok(Reply::Kiss(code)) => actions.push(self.kissed(from, code)),
            Ok(Reply::Time { sent, .. }) if sent / SECOND < self.earliest => {
                actions.push(refuse("it is before the image was built"));
            }
            Ok(Reply::Time { received, sent }) => {
                // The clock may have been set meanwhile: what passed is told by the other one.
                let passed = now.steady.saturating_sub(asked.steady);
                match Sample::of(asked.clock, received, sent, asked.clock.saturating_add(passed)) {
                    Some(sample) => self.samples.push(sample),
                    None => actions.push(refuse("the way took too long")),
                }
            }
        }
        self.asked.remove(place);
        if self.asked.is_empty() {
            actions.extend(self.judge(now));
        }
        actions
    }

    fn kissed(&mut self, from: IpAddr, code: [u8; 4]) -> Action {
        let text: String =
            code.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' }).collect();
        Action::Say(match &code {
            b"RATE" => {
                self.least = (self.least + self.least).clamp(SHORTEST + SHORTEST, LONGEST);
                format!("time server {from} is asked too often; asking less")
            }
            b"DENY" | b"RSTR" => {
                if self.refused.len() >= REFUSALS {
                    self.refused.clear();
                }
                self.refused.insert(from);
                format!("time server {from} refuses ({text}); not asked any more")
            }
            _ => format!("time server {from} has no time ({text}); asking on"),
        })
    }

    /// The end of a round.
    fn judge(&mut self, now: Now) -> Vec<Action> {
        let answers = self.samples.len();
        let best = best(&self.samples);
        self.silent = if answers == 0 { self.silent.saturating_add(1) } else { 0 };
        self.asked.clear();
        self.samples.clear();
        let mut actions = Vec::new();
        match best {
            None => {
                self.doubt = None;
                actions.push(Action::Say(match answers {
                    0 => "no time server answers; asking on".into(),
                    _ => format!("{answers} time servers disagree, no majority; name three or more"),
                }));
                // More and more seldom, but a clock that was never set is waited for.
                self.wait = (self.wait + self.wait).min(if self.synced { LONGEST } else { SHORTEST });
            }
            Some(sample) => actions.extend(self.correct(sample.offset, now.tick.now)),
        }
        self.due = Some(now.tick.about(self.wait.max(self.least)));
        actions
    }

    fn correct(&mut self, offset: i64, now: Millis) -> Vec<Action> {
        let far = offset.abs() > STEP;
        let before = self.doubt.take();
        if far && self.synced && !before.is_some_and(|doubt| doubt.says(offset, now)) {
            // A clock that was well does not jump: the machine was halted, or a server lies. Who says something else each
            // time is asked more and more seldom.
            self.wait = if before.is_none() { FIRST } else { (self.wait + self.wait).min(LONGEST) };
            self.doubt = Some(Doubt { offset, at: now });
            return vec![Action::Say(format!("the clock seems to be off by {}; asking again", seconds(offset)))];
        }
        let first = !std::mem::replace(&mut self.synced, true);
        self.wait = match (first, offset.abs() < WELL) {
            (true, _) | (_, false) => SHORTEST,
            (false, true) => (self.wait + self.wait).clamp(SHORTEST, LONGEST),
        };
        if far {
            return vec![
                Action::Step(offset),
                Action::Say(format!("the clock was off by {}; it is set", seconds(offset))),
            ];
        }
        let mut actions = vec![Action::Slew(offset, self.wait.as_seconds())];
        if first {
            actions.push(Action::Say(format!("the clock is off by {}; it is kept", seconds(offset))));
        }
        actions
    }
}

fn seconds(offset: i64) -> String {
    format!("{:.3} s", offset as f64 / SECOND as f64)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
