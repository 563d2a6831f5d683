//! Cards that come, go and get leases: what the kernel should have then.

use super::desired::Desired;
use super::files;
use super::nics::{Nics, Wish};
use super::reconcile::{Change, Kernel, changes};
use crate::dhcp4::message::{Kind, Reply, StaticRoute};
use crate::netlink::address::{Lifetime, Told};
use crate::netlink::{Address, Link, Route};
use crate::plan::{Interface, Plan, PlannedRoute, Select};
use crate::time::{Millis, Tick};
use orlop_config::node_config::Ipv6Method;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    bound_by(indices, reply)
}

/// The same by other answers.
fn bound_by(indices: &[u32], reply: impl Fn(Kind, u32, u32) -> Reply) -> Nics {
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
    kernel.routes.push((Route { prefix: 8, metric: 7, ..route }, false));
    assert_eq!(changes(&desired, &kernel, &desired.addresses, TICK.now), []);
    let list = changes(&Desired::default(), &kernel, &desired.addresses, TICK.now);
    assert!(matches!(list[..], [Change::NoRoute(_), Change::NoAddress(_)]), "{list:?}");
}

#[test]
fn an_address_that_somebody_took_away_comes_back_with_its_routes() {
    let desired = Desired::of(&bound(&[2]));
    let kernel = Kernel { mtus: [(2, 1500)].into(), ..Kernel::default() };
    let list = changes(&desired, &kernel, &desired.addresses, TICK.now);
    let hour = Lifetime { preferred: 3600, valid: 3600 };
    assert!(
        matches!(list[..], [Change::Mtu(2, 1400), Change::Address(_, lifetime), Change::Route(_)] if lifetime == hour),
        "{list:?}"
    );
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
fn a_lease_that_is_not_confirmed_yet_is_asked_about_by_the_next_run_and_under_another_plan() {
    let address = Ipv4Addr::new(192, 0, 2, 59);
    // The packet's number, if the lease is asked about.
    let asks = |wishes: &[Wish]| {
        wishes.iter().find_map(|wish| match wish {
            Wish::Send { query, .. } if query.kind == Kind::Request && query.requested == Some(address) => {
                Some(query.xid)
            }
            _ => None,
        })
    };
    let next_run = |nics: &Nics| Nics::new(Plan::automatic(&[]), files::parse_leases(&files::leases(nics)));
    let mut nics = bound(&[2]);
    nics.link(card(2, false), TICK);
    // Killed while the carrier was away, and while the question was out.
    assert!(asks(&next_run(&nics).link(card(2, true), TICK)).is_some());
    assert!(asks(&nics.link(card(2, true), TICK)).is_some());
    let mut after = next_run(&nics);
    assert!(asks(&after.link(card(2, true), TICK)).is_some());
    assert_eq!(Desired::of(&after).addresses.len(), 1, "it holds meanwhile");
    let xid = asks(&after.set_plan(Plan::automatic(&["eth2".into()]), TICK));
    after.packet(2, &reply(Kind::Ack, 2, xid.expect("a question")), TICK);
    // It is one of the segment.
    assert_eq!(asks(&next_run(&after).link(card(2, true), TICK)), None);
    assert_eq!(asks(&after.set_plan(Plan::automatic(&[]), TICK)), None);
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

/// Option 121 of a server, which has no default route by it.
fn routed(kind: Kind, index: u32, xid: u32) -> Reply {
    let route = |last: u8| StaticRoute {
        destination: Ipv4Addr::new(10, 0, 0, 0),
        prefix: 8,
        gateway: Ipv4Addr::new(192, 0, index as u8, last),
    };
    // The same network twice: the first one holds.
    Reply { routes: vec![route(9), route(7)], ..reply(kind, index, xid) }
}

#[test]
fn to_each_network_leads_one_route_of_the_first_card_with_a_carrier() {
    let mut nics = bound_by(&[2, 3], routed);
    let gateways = |nics: &Nics| {
        let desired = Desired::of(nics);
        desired.routes.iter().map(|route| (route.index, route.prefix, route.gateway)).collect::<Vec<_>>()
    };
    assert_eq!(gateways(&nics), [(2, 8, Some(Ipv4Addr::new(192, 0, 2, 9).into()))]);
    nics.link(card(2, false), TICK);
    assert_eq!(gateways(&nics), [(3, 8, Some(Ipv4Addr::new(192, 0, 3, 9).into()))]);
    // Nobody has a carrier: the first card, as long as it is there.
    nics.link(card(3, false), TICK);
    assert_eq!(gateways(&nics), [(2, 8, Some(Ipv4Addr::new(192, 0, 2, 9).into()))]);
    nics.gone(2);
    assert_eq!(gateways(&nics), [(3, 8, Some(Ipv4Addr::new(192, 0, 3, 9).into()))]);
    // The document's routes come before the network's, and its order of cards is theirs.
    let mut plan = Plan::automatic(&["eth3".into(), "eth2".into()]);
    plan.interfaces[1].routes.push(PlannedRoute {
        destination: Ipv4Addr::new(10, 0, 0, 0).into(),
        prefix: 8,
        gateway: Some(Ipv4Addr::new(192, 0, 2, 5).into()),
    });
    let mut nics = bound_by(&[2, 3], routed);
    nics.set_plan(plan, TICK);
    assert_eq!(gateways(&nics), [(3, 8, Some(Ipv4Addr::new(192, 0, 3, 9).into()))]);
    nics.link(card(3, false), TICK);
    assert_eq!(gateways(&nics), [(2, 8, Some(Ipv4Addr::new(192, 0, 2, 5).into()))]);
}

#[test]
fn routes_on_the_link_come_before_those_that_go_by_them() {
    let router = IpAddr::from(Ipv4Addr::new(172, 31, 1, 1));
    let route = |destination: IpAddr, prefix, gateway| PlannedRoute { destination, prefix, gateway };
    let mut plan = Plan::automatic(&[]);
    plan.interfaces = vec![Interface {
        dhcp4: false,
        addresses: vec![(Ipv4Addr::new(203, 0, 113, 7).into(), 32)],
        routes: vec![
            route(Ipv4Addr::UNSPECIFIED.into(), 0, Some(router)),
            route(Ipv4Addr::new(10, 0, 0, 0).into(), 8, Some(router)),
            route(router, 32, None),
        ],
        ..Interface::automatic(Select::Any)
    }];
    let mut nics = Nics::new(plan, BTreeMap::new());
    nics.link(card(2, true), TICK);
    let desired = Desired::of(&nics);
    let made = |kernel: &Kernel| {
        let list = changes(&desired, kernel, &desired.addresses, TICK.now);
        let of = |change: &Change| match change {
            Change::Route(route) => Some(route.prefix),
            _ => None,
        };
        list.iter().filter_map(of).collect::<Vec<u8>>()
    };
    assert_eq!(made(&Kernel::default()), [32, 8, 0]);
    // One that somebody took away comes back alone: the others hold meanwhile (`RTNH_F_ONLINK`).
    let mut kernel = kernel_of(&desired);
    kernel.routes.retain(|(route, _)| route.prefix != 32);
    assert_eq!(made(&kernel), [32]);
}

#[test]
fn what_a_card_has_goes_once_it_leaves_the_plan() {
    let mut nics = bound(&[2, 3]);
    let before = Desired::of(&nics);
    assert_eq!(nics.left(), []);
    nics.set_plan(Plan::automatic(&["eth3".into()]), TICK);
    assert_eq!(nics.left(), [card(2, true)]);
    let after = Desired::of(&nics);
    let list = changes(&after, &kernel_of(&before), &before.addresses, TICK.now);
    assert!(matches!(list[..], [Change::NoRoute(_), Change::NoAddress(_), Change::Route(_)]), "{list:?}");
    assert_eq!(list.iter().map(Change::index).collect::<Vec<_>>(), [2, 2, 3]);
    // As the kernel tells it now, and only until it hears no more routers there.
    nics.link(Link { up: false, ..card(2, false) }, TICK);
    assert_eq!(nics.left(), [Link { up: false, ..card(2, false) }]);
    nics.let_go(2);
    assert_eq!(nics.left(), []);
    // One that comes back, and one that is gone.
    nics.set_plan(Plan::automatic(&["eth2".into()]), TICK);
    assert_eq!(nics.left(), [card(3, true)]);
    nics.set_plan(Plan::automatic(&[]), TICK);
    assert_eq!(nics.left(), []);
    nics.set_plan(Plan::automatic(&["eth2".into()]), TICK);
    nics.gone(3);
    assert_eq!(nics.left(), []);
    // Nobody listened to routers there.
    let mut plan = Plan::automatic(&[]);
    plan.interfaces[0].ipv6 = Ipv6Method::Off;
    nics.set_plan(plan, TICK);
    nics.set_plan(Plan::automatic(&["eth9".into()]), TICK);
    assert_eq!(nics.left(), []);
}

#[test]
fn a_network_is_there_once_its_addresses_and_default_routes_are() {
    let desired = Desired::of(&bound(&[2]));
    let kernel = kernel_of(&desired);
    assert!(desired.is_met(&kernel));
    assert!(!desired.is_met(&Kernel { addresses: Vec::new(), ..kernel.clone() }));
    assert!(!desired.is_met(&Kernel { routes: Vec::new(), ..kernel.clone() }));
    // Somebody else's default route serves as well, but for one of the other family; and another address does not.
    let default = *desired.routes.first().expect("a default route");
    let other = Route { metric: 7, ..default };
    assert!(desired.is_met(&Kernel { routes: vec![(other, false)], ..kernel.clone() }));
    let other = Route { destination: Ipv6Addr::UNSPECIFIED.into(), ..other };
    assert!(!desired.is_met(&Kernel { routes: vec![(other, false)], ..kernel.clone() }));
    let foreign = Address { index: 2, address: Ipv4Addr::new(10, 0, 0, 1).into(), prefix: 24 };
    let told = Told { address: foreign, ours: false, usable: true };
    assert!(!desired.is_met(&Kernel { addresses: vec![told], ..kernel.clone() }));
    // A second card's route and address that the kernel refused are no matter, and a second family's address is.
    let two = Desired::of(&bound_by(&[2, 3], routed));
    let told = |address: &Address| Told { address: *address, ours: true, usable: true };
    let mut has = Kernel { addresses: two.addresses.keys().take(1).map(told).collect(), ..Kernel::default() };
    assert!(two.is_met(&has));
    let six = Address { index: 2, address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).into(), prefix: 64 };
    let mut both = two;
    both.addresses.insert(six, None);
    assert!(!both.is_met(&has));
    has.addresses.push(told(&six));
    assert!(both.is_met(&has));
    // Where the plan names a default route and its card is not there yet.
    let none = Desired { wants_default: true, ..Desired::default() };
    assert!(!none.is_met(&Kernel::default()) && none.is_met(&Kernel { routes: vec![(default, false)], ..has }));
}

#[test]
fn routes_that_routers_make_fill_no_memory() {
    let mut kernel = Kernel::default();
    let route = |index, destination: IpAddr, prefix, last: u16| Route {
        index,
        destination,
        prefix,
        gateway: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into()),
        source: None,
        metric: 1024,
    };
    let any = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    for number in 0..1000 {
        kernel.take_up(route(2, Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 0).into(), 64, 1), false);
        kernel.take_up(route(2, any, 0, number), false);
    }
    assert_eq!(kernel.routes, [(route(2, any, 0, 0), false)]);
    // The other family's, and this program's own, of which there may be two for a moment.
    let four = Route { gateway: None, ..route(2, Ipv4Addr::UNSPECIFIED.into(), 0, 0) };
    kernel.take_up(four, false);
    kernel.take_up(route(2, any, 0, 7), true);
    kernel.take_up(route(3, any, 0, 8), true);
    assert_eq!(kernel.routes.len(), 4);
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
