//! The client by scripts.

use super::*;
use crate::sntp::message::{answer, stamp};
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
        let steady = self.now.0 as i64 * 1_000_000;
        Now { tick: Tick { now: self.now, random: 5 }, clock: self.truth() - self.off, steady }
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

    /// The questions of the next round.
    fn asks(&mut self) -> Vec<(IpAddr, u64)> {
        let asked = self.waits();
        if asked.is_empty() { self.waits() } else { asked }
    }

    /// The one server answers with a kiss of death.
    fn kissed(&mut self, code: &[u8; 4]) {
        let (server, nonce) = self.asks()[0];
        let mut kiss = answer(nonce, self.truth());
        kiss[1] = 0;
        kiss[12..16].copy_from_slice(code);
        let at = self.at();
        let actions = self.client.packet(server, &kiss, at);
        self.take(actions);
    }

    /// All servers answer, each with an error of its clock in seconds.
    fn round(&mut self, errors: &[i64]) {
        let asked = self.asks();
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

/// Clouds have their time servers on the machine's own host. The answer is there after 200 µs, of which the server needed 50;
/// the millisecond of the question is still the same.
#[test]
fn an_answer_within_the_millisecond_of_its_question_counts_to_the_nanosecond() {
    const MICROSECOND: i64 = 1000;
    const BEHIND: i64 = 3_000_000;
    let mut script = Script::new(1, BEHIND);
    let (server, nonce) = script.waits()[0];
    let mut packet = answer(nonce, script.truth() + 75 * MICROSECOND);
    packet[40..].copy_from_slice(&stamp(script.truth() + 125 * MICROSECOND).to_be_bytes());
    let asked = script.at();
    let passed = 200 * MICROSECOND;
    let at = Now { clock: asked.clock + passed, steady: asked.steady + passed, ..asked };
    let actions = script.client.packet(server, &packet, at);
    script.take(actions);
    assert_eq!(script.done, [Action::Slew(BEHIND, 64)], "{:?}", script.said);
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
fn what_is_said_twice_is_the_same_and_said_one_after_the_other() {
    let steps = |script: &Script| script.done.iter().filter(|action| matches!(action, Action::Step(_))).count();
    let mut script = Script::new(1, 0);
    script.round(&[0]);
    let mut times = Vec::new();
    for error in [3600, 3601, -86_400, 3600, -86_400, 7200] {
        script.round(&[error]);
        times.push(script.now);
        assert_eq!(steps(&script), 0, "{error}");
    }
    assert!(times[1] - times[0] < Millis::seconds(5) && times[5] - times[0] > Millis::seconds(50), "{times:?}");
    script.round(&[7200]);
    assert_eq!(steps(&script), 1, "{:?}", script.done);

    // Silence, or nobody's majority, in between.
    let mut script = Script::new(2, 0);
    script.round(&[0, 0]);
    script.round(&[3600, 3600]);
    script.round(&[]);
    script.round(&[3600, 3600]);
    script.round(&[3600, -3600]);
    script.round(&[3600, 3600]);
    assert_eq!(steps(&script), 0, "{:?}", script.done);
    script.round(&[3600, 3600]);
    assert_eq!(steps(&script), 1, "{:?}", script.done);
}

#[test]
fn a_doubt_allows_for_the_time_that_passed() {
    let doubt = Doubt { offset: 3600 * SECOND, at: Millis::seconds(100) };
    let soon = Millis::seconds(102);
    assert!(doubt.says(3600 * SECOND + SECOND / 2, soon) && doubt.says(3600 * SECOND - SECOND / 2, soon));
    assert!(!doubt.says(3601 * SECOND, soon) && !doubt.says(-3600 * SECOND, soon));
    assert!(doubt.says(3601 * SECOND, Millis::seconds(1200)));
    assert!(!doubt.says(i64::MIN, soon) && !Doubt { offset: i64::MAX, ..doubt }.says(i64::MIN, Millis(u64::MAX / 2)));
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
    for (code, text) in [(b"RATE", "asked too often"), (b"DENY", "not asked any more")] {
        script.kissed(code);
        assert!(script.said.iter().any(|line| line.contains(text)), "{:?}", script.said);
        assert!(script.client.deadline().expect("a deadline") - script.now > Millis::seconds(100));
    }
    // Whom all refuse asks once more much later, whatever happens to the network meanwhile.
    assert!(script.waits().is_empty());
    let refused = script.now;
    assert!(script.client.deadline().expect("a deadline") - refused > Millis::seconds(3000));
    let later = refused + Millis::seconds(600);
    script.client.hurry(later);
    script.now = later;
    assert!(script.waits().is_empty());
    assert!(script.client.deadline().expect("a deadline") - refused > Millis::seconds(3000));
    script.kissed(b"RSTR");
    assert!(script.now - refused < Millis::seconds(4000));
    assert!(script.waits().is_empty());
    // Others are asked at once.
    let tick = script.at().tick;
    script.client.set_servers(vec![server(1), server(9)], tick);
    assert_eq!(script.waits().iter().map(|(server, _)| *server).collect::<Vec<_>>(), [server(9)]);
}

/// A name has another address each time that it is looked up, and nobody there wants to be asked.
#[test]
fn lists_that_change_do_not_put_off_the_hour_after_which_who_refused_is_asked_again() {
    let mut script = Script::new(1, 0);
    script.kissed(b"DENY");
    let tick = script.at().tick;
    script.client.set_servers(vec![server(2)], tick);
    script.kissed(b"DENY");
    assert!(script.waits().is_empty());
    let began = script.now;
    let asked = (1..20).find(|turn: &u8| {
        script.now = began + Millis::seconds(600 * u64::from(*turn));
        let tick = script.at().tick;
        script.client.set_servers(vec![server(2 - turn % 2)], tick);
        !script.waits().is_empty()
    });
    // Nor do they shorten it.
    assert_eq!(asked, Some(6), "{:?}", script.said);
    let said = script.said.iter().filter(|line| line.contains("no time server wants to be asked")).count();
    assert_eq!(said, 1, "{:?}", script.said);
    // Who has not refused is asked at once.
    script.kissed(b"DENY");
    let tick = script.at().tick;
    script.client.set_servers(vec![server(1), server(2), server(3)], tick);
    assert!(script.asks().iter().any(|(asked, _)| *asked == server(3)));
}

#[test]
fn a_server_that_has_no_time_yet_is_asked_on() {
    let mut script = Script::new(1, 0);
    for code in [b"INIT", b"STEP", b"AUTH", &[0; 4]] {
        script.kissed(code);
        assert!(script.client.deadline().expect("a deadline") - script.now < Millis::seconds(80), "{code:?}");
    }
    assert!(script.said.contains(&"time server 192.0.2.1 has no time (INIT); asking on".into()), "{:?}", script.said);
    script.round(&[0]);
    assert!(script.client.synced());
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

/// With two voices of three it would win against the only other.
#[test]
fn a_server_that_is_named_twice_has_one_voice() {
    let mut script = Script::new(1, 0);
    let tick = script.at().tick;
    script.client.set_servers(vec![server(1), server(2), server(1)], tick);
    assert_eq!(script.asks().iter().map(|(server, _)| *server).collect::<Vec<_>>(), [server(1), server(2)]);
    // The same list is no news: nobody is asked anew.
    let due = script.client.deadline();
    script.client.set_servers(vec![server(1), server(2), server(1)], tick);
    assert_eq!(script.client.deadline(), due);
}
