//! Names that are found, and which of their addresses is taken.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

fn tick(seconds: u64) -> Tick {
    Tick { now: Millis::seconds(seconds), random: 7 }
}

impl Names {
    /// The names that are looked up.
    pub fn asked(&self) -> Vec<String> {
        self.lookups.iter().map(|lookup| lookup.name().to_owned()).collect()
    }

    /// What name servers say of a name.
    pub fn finds(&mut self, name: &str, addresses: &[IpAddr]) {
        self.found(name.to_owned(), addresses.to_vec());
    }
}

fn names(servers: &[&str]) -> Names {
    let mut names = Names::default();
    names.set(&servers.iter().map(|server| (*server).to_owned()).collect::<Vec<_>>(), tick(10));
    names
}

#[test]
fn an_address_is_taken_that_there_is_a_way_to() {
    let mut names = names(&["ntp.example"]);
    names.finds("ntp.example", &[FOUR, SIX]);
    assert_eq!(names.addresses(|address| address.is_ipv4()), Some(vec![FOUR]));
    assert_eq!(names.addresses(|address| address.is_ipv6()), Some(vec![SIX]));
    assert_eq!(names.addresses(|_| true), Some(vec![FOUR]));
    assert_eq!(names.addresses(|_| false), Some(vec![FOUR]));
    // It was silent.
    names.again(tick(60));
    assert_eq!(names.asked(), ["ntp.example"]);
    assert_eq!(names.addresses(|_| true), Some(vec![SIX]), "what is known holds, and the other one may answer");
    assert_eq!(names.addresses(|address| address.is_ipv4()), Some(vec![FOUR]));
}

#[test]
fn the_first_round_waits_for_all_names_but_not_for_long() {
    let mut log = Log::default();
    let mut names = names(&["a.example", "192.0.2.1", "b.example"]);
    assert_eq!(names.asked(), ["a.example", "b.example"]);
    names.finds("a.example", &[SIX]);
    assert_eq!(names.addresses(|_| true), None);
    let (servers, known) = (names.servers.clone(), names.known.clone());
    let mut late = Names { servers, known, until: names.until, ..Names::default() };
    names.finds("b.example", &[IpAddr::from([192, 0, 2, 2])]);
    let all = [SIX, FOUR, IpAddr::from([192, 0, 2, 2])];
    assert_eq!(names.addresses(|_| true), Some(all.into()));
    assert!(!late.turn(&[], tick(14), &mut log));
    assert!(late.turn(&[], tick(15), &mut log));
    assert_eq!(late.addresses(|_| true), Some(vec![SIX, FOUR]));
    // Names that stay are not looked up again.
    names.set(&["b.example".into(), "c.example".into()], tick(20));
    assert_eq!(names.asked(), ["c.example"]);
}

#[test]
fn a_name_that_is_looked_up_already_is_not_looked_up_twice() {
    let mut names = names(&["ntp.example", "192.0.2.1"]);
    names.again(tick(20));
    names.again(tick(30));
    assert_eq!(names.asked(), ["ntp.example"]);
}

#[test]
fn an_address_of_ipv4_in_the_form_of_ipv6_is_asked_as_what_it_is() {
    assert_eq!(names(&["::ffff:192.0.2.1", "::ffff:127.0.0.1"]).addresses(|_| true), Some(vec![FOUR]));
}
