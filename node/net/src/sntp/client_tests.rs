//! The client by scripts.

use super::*;
use crate::sntp::message::answer;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const BUILT: i64 = 1_795_000_000;
const TRUE: i64 = (BUILT + 500_000) * SECOND;

fn server(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

struct Script {
    client: Client,
    now: Millis,
    /// What the machine's clock is off by.
    off: i64,
    sent: Vec<(IpAddr, u64)>,
    said: Vec<String>,
    done: Vec<Action>,
}

impl Script {
    fn new(servers: u8, off: i64) -> Self {
        let mut script = Script {
            client: Client::new(BUILT),
            now: Millis::seconds(10),
            off,
            sent: Vec::new(),
            said: Vec::new(),
            done: Vec::new(),
        };
        let tick = script.at().tick;
        script.client.set_servers((1..=servers).map(server).collect(), tick);
        script
    }

    fn truth(&self) -> i64 {
        TRUE + self.now.0 as i64 * 1_000_000
    }

    fn at(&self) -> Now {
        Now { tick: Tick { now: self.now, random: 5 }, clock: self.truth() - self.off }
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(to, packet) => {
                    self.sent.push((to, u64::from_be_bytes(packet[40..].try_into().expect("eight"))));
                }
                Action::Say(text) => self.said.push(text),
                Action::Step(by) => {
                    self.off -= by;
                    self.done.push(Action::Step(by));
                }
                slew => self.done.push(slew),
            }
        }
    }

    /// The next deadline comes; the questions that go out.
    fn waits(&mut self) -> Vec<(IpAddr, u64)> {
        self.now = self.client.deadline().expect("a deadline").max(self.now);
        let mut number = self.now.0;
        let at = self.at();
        self.sent.clear();
        let actions = self.client.timer(at, || {
            number += 1;
            number
        });
        self.take(actions);
        self.sent.clone()
    }

    /// All servers answer, each with an error of its clock in seconds.
    fn round(&mut self, errors: &[i64]) {
        let mut asked = self.waits();
        if asked.is_empty() {
            asked = self.waits();
        }
        self.now = self.now + Millis(20);
        for ((server, nonce), error) in asked.into_iter().zip(errors) {
            let packet = answer(nonce, self.truth() + error * SECOND);
            let at = self.at();
            let actions = self.client.packet(server, &packet, at);
            self.take(actions);
        }
    }
}

#[test]
fn a_clock_a_day_off_is_set_once_then_turned() {
    let mut script = Script::new(1, -86_400 * SECOND);
    assert!(!script.client.synced());
    script.round(&[0]);
    assert!(script.client.synced());
    assert!(script.off.abs() < SECOND / 50, "{}", script.off);
    script.round(&[0]);
    assert!(matches!(script.done[..], [Action::Step(_), Action::Slew(..)]), "{:?}", script.done);
    assert_eq!(script.said, ["the clock was off by -86399.990 s; it is set"]);
}

#[test]
fn a_clock_that_is_well_is_asked_for_less_and_less() {
    let mut script = Script::new(1, 0);
    let mut times = Vec::new();
    for _ in 0..8 {
        script.round(&[0]);
        times.push(script.client.deadline().expect("a deadline") - script.now);
    }
    assert!(times[0] < Millis::seconds(72) && times[7] > Millis::seconds(900), "{times:?}");
    assert!(times[7] < Millis::seconds(1200), "{times:?}");
    assert!(script.done.iter().all(|action| matches!(action, Action::Slew(..))));
}

#[test]
fn one_liar_of_three_is_outvoted_and_one_of_two_sets_nothing() {
    let mut script = Script::new(3, 0);
    script.round(&[86_400, 0, 0]);
    assert!(script.client.synced() && script.off.abs() < SECOND);
    let mut script = Script::new(2, 0);
    script.round(&[86_400, 0]);
    assert!(!script.client.synced());
    assert!(script.said[0].contains("2 time servers disagree"), "{:?}", script.said);
}

#[test]
fn no_time_before_the_build_is_believed() {
    let mut script = Script::new(1, 0);
    script.round(&[-500_100]);
    assert!(!script.client.synced() && script.done.is_empty());
    assert!(script.said[0].contains("before the image was built"), "{:?}", script.said);
}

#[test]
fn a_clock_that_was_well_is_set_only_if_it_is_said_twice() {
    let mut script = Script::new(1, 0);
    script.round(&[0]);
    script.round(&[3600]);
    assert!(script.done.iter().all(|action| matches!(action, Action::Slew(..))), "{:?}", script.done);
    script.round(&[0]);
    script.round(&[3600]);
    assert!(script.done.iter().all(|action| matches!(action, Action::Slew(..))), "{:?}", script.done);
    // A machine that was halted.
    let mut script = Script::new(1, 0);
    script.round(&[0]);
    script.off = 7200 * SECOND;
    script.round(&[0]);
    script.round(&[0]);
    assert!(script.off.abs() < SECOND, "{}", script.off);
}

#[test]
fn who_did_not_see_the_question_cannot_answer_it() {
    let mut script = Script::new(1, 0);
    let (server, nonce) = script.waits()[0];
    let forged = answer(nonce ^ 1, script.truth() + 1000 * SECOND);
    let at = script.at();
    let actions = script.client.packet(server, &forged, at);
    script.take(actions);
    let other = answer(nonce, script.truth() + 1000 * SECOND);
    let actions = script.client.packet(Ipv4Addr::new(192, 0, 2, 9).into(), &other, at);
    script.take(actions);
    assert!(!script.client.synced());
    // The true answer still counts, and once only.
    let packet = answer(nonce, script.truth());
    let actions = script.client.packet(server, &packet, at);
    script.take(actions);
    assert!(script.client.synced());
    let actions = script.client.packet(server, &packet, at);
    assert!(actions.is_empty(), "{actions:?}");
}

#[test]
fn kisses_of_death_are_obeyed() {
    let mut script = Script::new(1, 0);
    for (code, text) in [(*b"RATE", "asked too often"), (*b"DENY", "not asked any more")] {
        let mut asked = script.waits();
        if asked.is_empty() {
            asked = script.waits();
        }
        let (server, nonce) = asked[0];
        let mut kiss = answer(nonce, script.truth());
        kiss[1] = 0;
        kiss[12..16].copy_from_slice(&code);
        let at = script.at();
        let actions = script.client.packet(server, &kiss, at);
        script.take(actions);
        assert!(script.said.iter().any(|line| line.contains(text)), "{:?}", script.said);
        assert!(script.client.deadline().expect("a deadline") - script.now > Millis::seconds(100));
    }
    assert!(script.waits().is_empty());
    assert_eq!(script.client.deadline(), None);
}

#[test]
fn silence_is_asked_again() {
    let mut script = Script::new(2, 0);
    let start = script.now;
    for _ in 0..12 {
        script.waits();
    }
    assert!(script.now - start < Millis::seconds(200), "{:?}", script.now - start);
    assert_eq!(script.said[0], "no time server answers; asking on");
    // Others are asked at once.
    let tick = script.at().tick;
    script.client.set_servers(vec![server(9)], tick);
    assert_eq!(script.waits()[0].0, server(9));
}

proptest! {
    #[test]
    fn whatever_servers_say_the_clock_is_never_before_the_build(errors in proptest::collection::vec(proptest::collection::vec(-2_000_000_000i64..2_000_000_000, 3), 1..12)) {
        let mut script = Script::new(3, 0);
        for round in errors {
            script.round(&round);
            prop_assert!(script.at().clock >= BUILT * SECOND);
        }
    }
}
