//! Cards whose routers speak of DHCPv6: what the kernel and the files should have then.

use super::desired::Desired;
use super::files;
use super::nics::{Nics, Wish};
use super::reconcile::{Change, Kernel, changes};
use crate::dhcp6::message::{Kind, Query};
use crate::netlink::address::Lifetime;
use crate::netlink::{Address, Link};
use crate::plan::Plan;
use crate::time::{Millis, Tick};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

const TICK: Tick = Tick { now: Millis::seconds(50), random: 42 };
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GIVEN: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x123);
const NAME_SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
const TIME_SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x7b);

const HOUR: u32 = 3600;

fn card(managed: bool, other: bool) -> Link {
    let name = "eth2".to_owned();
    Link { index: 2, name, mac: Some(MAC), up: true, carrier: true, mtu: 1500, managed, other, ..Link::default() }
}

/// A server's packet: an address for an hour, with the seconds of it that it is preferred, or none; a name server, a time
/// server.
fn packet(kind: Kind, xid: u32, given: Option<(Ipv6Addr, u32)>) -> Vec<u8> {
    let mut packet = xid.to_be_bytes().to_vec();
    packet[0] = kind as u8;
    let mut put = |kind: u16, value: &[u8]| {
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&(value.len() as u16).to_be_bytes());
        packet.extend_from_slice(value);
    };
    put(1, &[&[0, 3, 0, 1][..], &MAC].concat());
    put(2, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]);
    if let Some((address, preferred)) = given {
        let (preferred, hour) = (preferred.to_be_bytes(), HOUR.to_be_bytes());
        let head = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 24];
        put(3, &[&head[..], &address.octets(), &preferred, &hour].concat());
    }
    put(23, &NAME_SERVER.octets());
    put(56, &[&[0, 1, 0, 16][..], &TIME_SERVER.octets()].concat());
    packet
}

/// The one packet that is to be sent.
fn query(wishes: &[Wish]) -> &Query {
    let sent = wishes.iter().find_map(|wish| match wish {
        Wish::Send6 { index: 2, query } => Some(query),
        _ => None,
    });
    sent.expect("a packet of DHCPv6")
}

fn nics() -> Nics {
    let mut plan = Plan::automatic(&[]);
    plan.interfaces[0].dhcp4 = false;
    Nics::new(plan, BTreeMap::new())
}

fn bound() -> Nics {
    bound_by(HOUR)
}

/// The same by a server that prefers the address for so many seconds.
fn bound_by(preferred: u32) -> Nics {
    let mut nics = nics();
    let mut wishes = nics.link(card(true, false), TICK);
    for kind in [Kind::Advertise, Kind::Reply] {
        let answer = packet(kind, query(&wishes).xid, Some((GIVEN, preferred)));
        wishes = nics.packet6(2, &answer, TICK);
    }
    nics
}

/// Has name and time servers without an address of a server's.
fn told() -> Nics {
    let mut nics = nics();
    nics.link(card(false, true), TICK);
    let tick = Tick { now: nics.deadline().expect("a deadline"), ..TICK };
    let (wishes, _) = nics.timer(tick);
    assert_eq!(query(&wishes).kind, Kind::Information);
    nics.packet6(2, &packet(Kind::Reply, query(&wishes).xid, None), tick);
    nics
}

#[test]
fn what_another_host_has_is_not_to_be_there_any_more() {
    let mut nics = bound();
    let address = Address { index: 2, address: GIVEN.into(), prefix: 128 };
    let desired = Desired::of(&nics);
    assert_eq!(desired.addresses.keys().collect::<Vec<_>>(), [&address]);
    assert_eq!((desired.dns, desired.ntp), (vec![IpAddr::from(NAME_SERVER)], vec![TIME_SERVER.to_string()]));
    // Of the kernel's own address nobody has to hear.
    let own = Address { address: Ipv6Addr::LOCALHOST.into(), ..address };
    assert_eq!(nics.duplicate(own, TICK), []);
    let wishes = nics.duplicate(address, TICK);
    assert_eq!((query(&wishes).kind, query(&wishes).address), (Kind::Decline, Some(GIVEN)));
    assert_eq!(Desired::of(&nics), Desired::default());
}

#[test]
fn the_kernel_and_the_next_run_hear_how_long_an_address_is_preferred() {
    let address = Address { index: 2, address: GIVEN.into(), prefix: 128 };
    for (preferred, seconds, later) in [(HOUR, HOUR, 1700), (1800, 1800, 0), (0, 0, 0), (u32::MAX, HOUR, 1700)] {
        let nics = bound_by(preferred);
        let desired = Desired::of(&nics);
        let told = |now| changes(&desired, &Kernel::default(), &BTreeMap::new(), now);
        let given = Change::Address(address, Lifetime { preferred: seconds, valid: HOUR });
        assert_eq!(told(TICK.now), [given], "{preferred}");
        let left = Change::Address(address, Lifetime { preferred: later, valid: 1700 });
        assert_eq!(told(TICK.now + Millis::seconds(1900)), [left], "{preferred}");
        let mut after = Nics::new(nics.plan().clone(), files::parse_leases(&files::leases(&nics)));
        after.link(card(true, false), TICK);
        assert_eq!(Desired::of(&after), desired, "{preferred}");
    }
}

#[test]
fn a_carrier_that_was_away_has_the_address_confirmed() {
    let mut nics = bound();
    let renewal = nics.deadline();
    nics.link(Link { carrier: false, ..card(true, false) }, TICK);
    assert!(nics.deadline() > renewal, "nothing is asked without a carrier");
    nics.link(card(true, false), TICK);
    let tick = Tick { now: nics.deadline().expect("a deadline"), ..TICK };
    let (wishes, _) = nics.timer(tick);
    assert_eq!((query(&wishes).kind, query(&wishes).address), (Kind::Confirm, Some(GIVEN)));
    nics.packet6(2, &packet(Kind::Reply, query(&wishes).xid, None), tick);
    assert_eq!((nics.deadline(), Desired::of(&nics).addresses.len()), (renewal, 1));
}

#[test]
fn an_address_that_is_not_confirmed_yet_is_asked_about_by_the_next_run_and_under_another_plan() {
    // What the card's first deadline has it do.
    let asks = |nics: &mut Nics| {
        let (wishes, _) = nics.timer(Tick { now: nics.deadline().expect("a deadline"), ..TICK });
        query(&wishes).clone()
    };
    let next_run = |nics: &Nics| {
        let mut next = Nics::new(nics.plan().clone(), files::parse_leases(&files::leases(nics)));
        next.link(card(true, false), TICK);
        next
    };
    let mut nics = bound();
    assert_eq!(asks(&mut next_run(&nics)).kind, Kind::Renew);
    nics.link(Link { carrier: false, ..card(true, false) }, TICK);
    // Killed while the carrier was away, before the question went out, and while it was out.
    assert_eq!(asks(&mut next_run(&nics)).kind, Kind::Confirm);
    nics.link(card(true, false), TICK);
    assert_eq!(asks(&mut next_run(&nics)).kind, Kind::Confirm);
    assert_eq!(asks(&mut nics).kind, Kind::Confirm);
    let mut after = next_run(&nics);
    assert_eq!(Desired::of(&after).addresses.len(), 1, "it holds meanwhile");
    let mut plan = after.plan().clone();
    plan.host_name = Some("another".into());
    after.set_plan(plan, TICK);
    let confirm = asks(&mut after);
    assert_eq!((confirm.kind, confirm.address), (Kind::Confirm, Some(GIVEN)));
    after.packet6(2, &packet(Kind::Reply, confirm.xid, None), TICK);
    // It is one of the link.
    assert_eq!(asks(&mut next_run(&after)).kind, Kind::Renew);
}

#[test]
fn name_and_time_servers_come_without_an_address_and_outlive_the_program() {
    let before = told();
    let desired = Desired::of(&before);
    assert_eq!(desired.dns, [IpAddr::from(NAME_SERVER)]);
    assert_eq!(desired.ntp, [TIME_SERVER.to_string()]);
    assert!(desired.addresses.is_empty());
    let mut after = Nics::new(before.plan().clone(), files::parse_leases(&files::leases(&before)));
    let wishes = after.link(card(false, true), TICK);
    assert!(wishes.iter().all(|wish| matches!(wish, Wish::Say { .. })), "nothing is asked: {wishes:?}");
    assert_eq!((Desired::of(&after), after.deadline()), (desired, before.deadline()));
}

#[test]
fn a_router_that_speaks_of_addresses_later_has_one_asked_for() {
    let mut nics = told();
    let wishes = nics.managed(2, true, true, TICK);
    assert_eq!(query(&wishes).kind, Kind::Solicit);
    assert_eq!(Desired::of(&nics).dns.len(), 1, "until there is one");
    assert_eq!(nics.managed(2, false, false, TICK), []);
    let tick = Tick { now: nics.deadline().expect("a deadline"), ..TICK };
    assert_eq!(nics.timer(tick), (Vec::new(), false), "nor when it says that there are none");
}
