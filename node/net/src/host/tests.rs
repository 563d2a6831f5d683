//! Cards that come, go and get leases: what the kernel should have then.

use super::desired::Desired;
use super::files;
use super::nics::{Nics, Wish};
use super::reconcile::{Change, Kernel, changes};
use crate::dhcp4::message::{Kind, Reply};
use crate::netlink::address::Told;
use crate::netlink::{Address, Link};
use crate::plan::{Interface, Plan, PlannedRoute, Select};
use crate::time::{Millis, Tick};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

const TICK: Tick = Tick { now: Millis::seconds(50), random: 42 };

fn card(index: u32, carrier: bool) -> Link {
    let mac = [2, 0, 0, 0, 0, index as u8];
    Link { index, name: format!("eth{index}"), mac: Some(mac), up: true, carrier, mtu: 1500, ..Link::default() }
}

/// What a card of this number gets: 192.0.INDEX.59 by 192.0.INDEX.1.
fn reply(kind: Kind, index: u32, xid: u32) -> Reply {
    let of = |last| Ipv4Addr::new(192, 0, index as u8, last);
    Reply {
        kind,
        xid,
        mac: [2, 0, 0, 0, 0, index as u8],
        address: of(59),
        server: Some(of(1)),
        netmask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: vec![of(1)],
        dns: vec![of(1), of(2)],
        ntp: vec![of(1)],
        search: vec!["lab.example".into()],
        mtu: Some(1400),
        routes: Vec::new(),
        seconds: Some(3600),
        t1: None,
        t2: None,
    }
}

fn bound(indices: &[u32]) -> Nics {
    let mut nics = Nics::new(Plan::automatic(&[]), BTreeMap::new());
    for index in indices {
        let mut wishes = nics.link(card(*index, true), TICK);
        for kind in [Kind::Offer, Kind::Ack] {
            let xid = wishes.iter().find_map(|wish| match wish {
                Wish::Send { query, .. } => Some(query.xid),
                _ => None,
            });
            wishes = nics.packet(*index, &reply(kind, *index, xid.expect("a question")), TICK);
        }
    }
    nics
}

fn kernel_of(desired: &Desired) -> Kernel {
    Kernel {
        addresses: desired
            .addresses
            .keys()
            .map(|address| Told { address: *address, ours: true, usable: true })
            .collect(),
        routes: desired.routes.iter().map(|route| (*route, true)).collect(),
        mtus: desired.mtus.clone(),
    }
}

#[test]
fn of_several_cards_the_first_with_a_carrier_has_the_default_route() {
    let mut nics = bound(&[2, 3]);
    let desired = Desired::of(&nics);
    let gateways: Vec<(u32, Option<IpAddr>)> =
        desired.routes.iter().map(|route| (route.index, route.gateway)).collect();
    assert_eq!(gateways, [(2, Some(Ipv4Addr::new(192, 0, 2, 1).into()))]);
    assert_eq!(desired.addresses.len(), 2);
    assert_eq!(desired.search, ["lab.example"]);
    assert_eq!(desired.dns.len(), 4);
    let wishes = nics.link(card(2, false), TICK);
    assert_eq!(wishes, [Wish::Say { name: "eth2".into(), text: "the carrier is gone".into() }]);
    let then = Desired::of(&nics);
    assert_eq!(then.routes.iter().map(|route| route.index).collect::<Vec<_>>(), [3]);
    let list = changes(&then, &kernel_of(&desired), &desired.addresses, TICK.now);
    assert!(matches!(list[..], [Change::NoRoute(_), Change::Route(_)]), "{list:?}");
}

#[test]
fn what_is_there_is_left_alone_and_what_others_made_always() {
    let desired = Desired::of(&bound(&[2]));
    let mut kernel = kernel_of(&desired);
    assert_eq!(changes(&desired, &kernel, &desired.addresses, TICK.now), []);
    let foreign = Address { index: 2, address: Ipv4Addr::new(10, 0, 0, 1).into(), prefix: 24 };
    kernel.addresses.push(Told { address: foreign, ours: false, usable: true });
    let route = kernel.routes[0].0;
    kernel.routes.push((crate::netlink::Route { prefix: 8, metric: 7, ..route }, false));
    assert_eq!(changes(&desired, &kernel, &desired.addresses, TICK.now), []);
    let list = changes(&Desired::default(), &kernel, &desired.addresses, TICK.now);
    assert!(matches!(list[..], [Change::NoRoute(_), Change::NoAddress(_)]), "{list:?}");
}

#[test]
fn an_address_that_somebody_took_away_comes_back_with_its_routes() {
    let desired = Desired::of(&bound(&[2]));
    let kernel = Kernel { mtus: [(2, 1500)].into(), ..Kernel::default() };
    let list = changes(&desired, &kernel, &desired.addresses, TICK.now);
    assert!(matches!(list[..], [Change::Mtu(2, 1400), Change::Address(_, 3600), Change::Route(_)]), "{list:?}");
}

#[test]
fn a_lease_outlives_the_program() {
    let before = bound(&[2]);
    let kept = files::parse_leases(&files::leases(&before));
    assert_eq!(kept.len(), 1);
    let mut after = Nics::new(Plan::automatic(&[]), kept.clone());
    let wishes = after.link(card(2, true), TICK);
    assert!(wishes.iter().all(|wish| matches!(wish, Wish::Say { .. })), "nothing is asked: {wishes:?}");
    assert_eq!(Desired::of(&after), Desired::of(&before));
    // Too late.
    let mut late = Nics::new(Plan::automatic(&[]), kept);
    late.link(card(2, true), Tick { now: Millis::seconds(9999), ..TICK });
    assert!(Desired::of(&late).addresses.is_empty());
}

#[test]
fn another_plan_keeps_the_leases_of_cards_that_keep_dhcp() {
    let mut nics = bound(&[2, 3]);
    let mut plan = Plan::automatic(&["eth3".into()]);
    plan.dns = vec![Ipv4Addr::new(192, 0, 9, 9).into()];
    plan.interfaces.push(Interface {
        dhcp4: false,
        addresses: vec![(Ipv4Addr::new(198, 51, 100, 9).into(), 24)],
        routes: vec![PlannedRoute {
            destination: Ipv4Addr::UNSPECIFIED.into(),
            prefix: 0,
            gateway: Some(Ipv4Addr::new(198, 51, 100, 1).into()),
        }],
        mtu: Some(1300),
        ..Interface::automatic(Select::Mac([2, 0, 0, 0, 0, 2]))
    });
    nics.set_plan(plan, TICK);
    let desired = Desired::of(&nics);
    let addresses: Vec<String> = desired.addresses.keys().map(|one| one.address.to_string()).collect();
    assert_eq!(addresses, ["198.51.100.9", "192.0.3.59"]);
    // The order of the plan, not of the numbers.
    assert_eq!(desired.routes.iter().map(|route| route.index).collect::<Vec<_>>(), [3]);
    assert_eq!(desired.dns, [IpAddr::from(Ipv4Addr::new(192, 0, 9, 9))]);
    assert_eq!(desired.mtus, [(2, 1300), (3, 1400)].into());
}

#[test]
fn what_software_makes_and_what_belongs_to_a_bridge_is_no_card() {
    let mut nics = Nics::new(Plan::automatic(&[]), BTreeMap::new());
    nics.link(Link { kind: Some("veth".into()), ..card(5, true) }, TICK);
    nics.link(Link { enslaved: true, ..card(6, true) }, TICK);
    assert_eq!(nics.all().count(), 0);
    assert_eq!(nics.deadline(), None);
}

#[test]
fn a_card_that_goes_and_comes_as_another_starts_anew() {
    let mut nics = bound(&[2]);
    let wishes = nics.link(Link { mac: Some([2, 9, 9, 9, 9, 9]), ..card(2, true) }, TICK);
    assert!(wishes.iter().any(|wish| matches!(wish, Wish::Send { query, .. } if query.kind == Kind::Discover)));
    assert!(Desired::of(&nics).addresses.is_empty());
    nics.gone(2);
    assert_eq!(nics.all().count(), 0);
}
