//! The client by scripts: what happens, and what it does then.

use super::*;
use crate::dhcp6::message::Given;
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9];
const OTHER: &[u8] = &[0, 9];

const MANAGED: Line = Line { carrier: true, managed: true, other: true };
const STATELESS: Line = Line { managed: false, ..MANAGED };
const SILENT: Line = Line { managed: false, other: false, ..MANAGED };
const AWAY: Line = Line { carrier: false, ..MANAGED };

fn address() -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x123)
}

fn another() -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x124)
}

fn tick(seconds: u64) -> Tick {
    at(Millis::seconds(seconds))
}

fn at(now: Millis) -> Tick {
    Tick { now, random: 0xaa12_3456 }
}

fn reply(kind: Kind, xid: u32, seconds: u32) -> Reply {
    Reply {
        kind,
        xid,
        server: SERVER.to_vec(),
        given: Some(Given { address: address(), preferred: seconds, seconds }),
        withdrawn: Vec::new(),
        status: 0,
        t1: 0,
        t2: 0,
        refresh: None,
        dns: vec![Ipv6Addr::LOCALHOST, "2001:db8::53".parse().expect("an address")],
        search: vec!["six.example".into()],
        ntp: Vec::new(),
    }
}

/// A reply without an address.
fn bare(xid: u32, status: u16) -> Reply {
    Reply { given: None, status, ..reply(Kind::Reply, xid, 0) }
}

fn query(actions: &[Action]) -> &Query {
    let sent = actions.iter().find_map(|action| match action {
        Action::Send(query) => Some(query),
        Action::Say(_) => None,
    });
    sent.expect("a packet")
}

/// The clock goes on to the client's next deadline; when that is, and what it does then.
fn waits(client: &mut Client) -> (Millis, Vec<Action>) {
    let now = client.deadline().expect("a deadline");
    (now, client.timer(MAC, at(now)))
}

fn bound() -> Client {
    let mut client = Client::default();
    let actions = client.link(MANAGED, MAC, tick(100));
    let solicit = query(&actions);
    assert_eq!((solicit.kind, solicit.xid), (Kind::Solicit, 0x12_3456));
    let actions = client.packet(&reply(Kind::Advertise, solicit.xid, 3600), MAC, tick(101));
    let request = query(&actions);
    assert_eq!(
        (request.kind, request.server.as_deref(), request.address),
        (Kind::Request, Some(SERVER), Some(address()))
    );
    let actions = client.packet(&reply(Kind::Reply, request.xid, 3600), MAC, tick(102));
    assert_eq!(actions, [Action::Say("a DHCPv6 server gives 2001:db8::123".into())]);
    client
}

/// Bound, and asks its server for more time; the question's number.
fn renewing() -> (Client, u32) {
    let mut client = bound();
    let actions = client.timer(MAC, tick(1902));
    assert_eq!((query(&actions).kind, query(&actions).server.as_deref()), (Kind::Renew, Some(SERVER)));
    let xid = query(&actions).xid;
    (client, xid)
}

#[test]
fn an_address_is_had_renewed_rebound_and_lost() {
    let mut client = bound();
    let lease = client.lease().expect("a lease").clone();
    assert_eq!(
        (lease.renew, lease.rebind, lease.expire),
        (Millis::seconds(1902), Millis::seconds(2982), Millis::seconds(3702))
    );
    assert_eq!(lease.dns.len(), 1, "loopback is no name server");
    let actions = client.timer(MAC, tick(1902));
    assert_eq!((query(&actions).kind, query(&actions).server.as_deref()), (Kind::Renew, Some(SERVER)));
    let actions = client.timer(MAC, tick(2982));
    assert_eq!((query(&actions).kind, query(&actions).server.as_deref()), (Kind::Rebind, None));
    let mut after = client.clone();
    let mut other = reply(Kind::Reply, query(&actions).xid, 3600);
    other.server = OTHER.to_vec();
    assert_eq!(after.packet(&other, MAC, tick(2983)), [], "the address stays: no news");
    assert_eq!(after.lease().expect("a lease").server, OTHER);
    let actions = client.timer(MAC, tick(3702));
    assert_eq!((query(&actions).kind, client.lease()), (Kind::Solicit, None));
}

/// The last question to the server would be waited for until the lease has ended.
#[test]
fn anybody_is_asked_at_t2_however_late_the_server_was_asked_last() {
    let mut client = Client::default();
    let actions = client.link(MANAGED, MAC, tick(100));
    let actions = client.packet(&reply(Kind::Advertise, query(&actions).xid, 300), MAC, tick(100));
    client.packet(&reply(Kind::Reply, query(&actions).xid, 300), MAC, tick(100));
    let lease = client.lease().expect("a lease").clone();
    assert_eq!((lease.renew, lease.rebind), (Millis::seconds(250), Millis::seconds(340)));
    let mut asked = Vec::new();
    while asked.last().is_none_or(|(_, kind)| *kind == Kind::Renew) {
        let (now, actions) = waits(&mut client);
        asked.push((now, query(&actions).kind));
    }
    assert_eq!(asked.last(), Some(&(lease.rebind, Kind::Rebind)), "{asked:?}");
    assert!((3..10).contains(&asked.len()), "{asked:?}");
    assert!(client.deadline() > Some(lease.rebind), "and then not all the time");
}

#[test]
fn hostile_answers_are_refused() {
    let (mut client, xid) = renewing();
    let before = client.clone();
    let mut stranger = reply(Kind::Reply, xid ^ 1, 3600);
    assert_eq!(client.packet(&stranger, MAC, tick(1903)), []);
    stranger = reply(Kind::Reply, xid, 3600);
    stranger.server = OTHER.to_vec();
    assert_eq!(client.packet(&stranger, MAC, tick(1903)), []);
    for (seconds, status, address) in [(1, 0, address()), (3600, 2, address()), (3600, 0, Ipv6Addr::LOCALHOST)] {
        let bad = Reply {
            status,
            given: Some(Given { address, preferred: seconds, seconds }),
            ..reply(Kind::Reply, xid, 3600)
        };
        let said = client.packet(&bad, MAC, tick(1903));
        assert!(matches!(&said[..], [Action::Say(text)] if text.contains("is not taken")), "{said:?}");
    }
    // Of somebody else's address.
    let bad = Reply { withdrawn: vec![another()], ..bare(xid, 0) };
    assert!(matches!(&client.packet(&bad, MAC, tick(1903))[..], [Action::Say(_)]));
    assert_eq!(client, before, "the lease stays");
}

#[test]
fn an_advertised_address_that_is_not_kept_is_asked_for_anew() {
    let mut client = Client::default();
    let xid = query(&client.link(MANAGED, MAC, tick(1))).xid;
    client.packet(&reply(Kind::Advertise, xid, 3600), MAC, tick(1));
    let kinds: Vec<Kind> = (0..6).map(|_| query(&waits(&mut client).1).kind).collect();
    assert_eq!(kinds[3..], [Kind::Request, Kind::Solicit, Kind::Solicit]);
}

#[test]
fn a_server_that_has_lost_its_leases_is_asked_for_the_address() {
    let (mut client, xid) = renewing();
    let actions = client.packet(&bare(xid, NO_BINDING), MAC, tick(1903));
    let request = query(&actions).clone();
    assert_eq!(
        (request.kind, request.server.as_deref(), request.address),
        (Kind::Request, Some(SERVER), Some(address()))
    );
    assert!(client.lease().is_some(), "the address holds meanwhile");
    let mut silent = client.clone();
    assert_eq!(client.packet(&reply(Kind::Reply, request.xid, 3600), MAC, tick(1904)), [], "no news");
    assert_eq!(client.lease().map(|lease| lease.expire), Some(Millis::seconds(1904 + 3600)));
    // It says no more: the lease is renewed on, and ends in time.
    let mut kinds = Vec::new();
    while silent.lease().is_some() {
        let (now, actions) = waits(&mut silent);
        assert!(now <= Millis::seconds(3702));
        kinds.push(query(&actions).kind);
    }
    assert_eq!(kinds[..5], [Kind::Request, Kind::Request, Kind::Request, Kind::Request, Kind::Renew]);
    assert_eq!(kinds[kinds.len() - 2..], [Kind::Rebind, Kind::Solicit]);
}

#[test]
fn an_address_that_is_none_of_the_link_by_a_server_that_was_asked_for_it_is_dropped() {
    let (mut client, xid) = renewing();
    let request = query(&client.packet(&bare(xid, NO_BINDING), MAC, tick(1903))).clone();
    assert_eq!((request.kind, request.address), (Kind::Request, Some(address())));
    let actions = client.packet(&bare(request.xid, NOT_ON_LINK), MAC, tick(1904));
    assert_eq!((query(&actions).kind, query(&actions).address, client.lease()), (Kind::Solicit, None, None));
    let why = "a DHCPv6 server says that 2001:db8::123 is no address of this link; asking anew";
    assert!(actions.contains(&Action::Say(why.into())), "{actions:?}");
    // It advertises one, and says the same of that: nothing is sent before its time.
    let actions = client.packet(&reply(Kind::Advertise, query(&actions).xid, 3600), MAC, tick(1905));
    let said = client.packet(&bare(query(&actions).xid, NOT_ON_LINK), MAC, tick(1905));
    assert!(matches!(&said[..], [Action::Say(text)] if text.contains("is not taken")), "{said:?}");
    assert!(client.deadline() > Some(Millis::seconds(1905)));
}

#[test]
fn any_server_that_knows_no_lease_is_asked_for_the_address() {
    let (mut client, _) = renewing();
    let actions = client.timer(MAC, tick(2982));
    let no = Reply { server: OTHER.to_vec(), ..bare(query(&actions).xid, NO_BINDING) };
    let actions = client.packet(&no, MAC, tick(2983));
    assert_eq!((query(&actions).kind, query(&actions).server.as_deref()), (Kind::Request, Some(OTHER)));
}

#[test]
fn an_address_that_is_taken_back_is_dropped_and_another_is_asked_for() {
    let (mut client, xid) = renewing();
    let mut other = client.clone();
    let back = Reply { withdrawn: vec![address()], ..bare(xid, 0) };
    let actions = client.packet(&back, MAC, tick(1903));
    assert_eq!((query(&actions).kind, query(&actions).address, client.lease()), (Kind::Solicit, None, None));
    // The new one comes along.
    let given = Some(Given { address: another(), preferred: 3600, seconds: 3600 });
    other.packet(&Reply { given, ..back }, MAC, tick(1903));
    assert_eq!(other.lease().map(|lease| lease.address), Some(another()));
}

#[test]
fn an_address_that_another_host_has_is_given_back_and_another_asked_for_without_hurry() {
    let mut client = bound();
    assert_eq!(client.duplicate(another(), MAC, tick(103)), []);
    assert!(client.lease().is_some());
    let mut waited = Vec::new();
    for _ in 0..3 {
        let actions = client.duplicate(address(), MAC, tick(103));
        let decline = query(&actions);
        assert_eq!(
            (decline.kind, decline.server.as_deref(), decline.address),
            (Kind::Decline, Some(SERVER), Some(address()))
        );
        assert_eq!(client.lease(), None);
        assert_eq!(client.packet(&bare(decline.xid, 0), MAC, tick(103)), []);
        // The server knows; nothing is asked before its time.
        let (now, actions) = waits(&mut client);
        waited.push(now - Millis::seconds(103));
        assert_eq!((query(&actions).kind, query(&actions).address), (Kind::Solicit, None));
        let actions = client.packet(&reply(Kind::Advertise, query(&actions).xid, 3600), MAC, at(now));
        client.packet(&reply(Kind::Reply, query(&actions).xid, 3600), MAC, at(now));
        assert!(client.lease().is_some());
    }
    assert!(waited[0] >= Millis::seconds(9) && waited[1] > waited[0] && waited[2] >= Millis::seconds(36), "{waited:?}");
}

#[test]
fn a_server_that_hears_no_refusal_is_asked_on_all_the_same() {
    let mut client = bound();
    client.duplicate(address(), MAC, tick(103));
    let mut kinds = Vec::new();
    let mut last = Millis(0);
    while kinds.last() != Some(&Kind::Solicit) {
        let (now, actions) = waits(&mut client);
        kinds.extend(actions.iter().map(|action| match action {
            Action::Send(query) => query.kind,
            Action::Say(text) => panic!("{text}"),
        }));
        last = now;
    }
    assert_eq!(kinds, [Kind::Decline, Kind::Decline, Kind::Decline, Kind::Solicit]);
    assert!(last > Millis::seconds(103 + 9 + 13), "{last:?}");
}

#[test]
fn without_a_carrier_nothing_is_asked_and_the_lease_is_confirmed_after_it() {
    let mut client = bound();
    let end = client.lease().expect("a lease").expire;
    assert_eq!(client.link(AWAY, MAC, tick(200)), []);
    assert_eq!(client.deadline(), Some(end), "not even for more time");
    let mut ended = client.clone();
    assert!(matches!(&ended.timer(MAC, at(end))[..], [Action::Say(_)]));
    assert_eq!((ended.lease(), ended.deadline()), (None, None));

    assert_eq!(client.link(MANAGED, MAC, tick(300)), [], "not all at once");
    let (now, actions) = waits(&mut client);
    let confirm = query(&actions).clone();
    assert!(now <= Millis::seconds(301));
    assert_eq!(
        (confirm.kind, confirm.server, confirm.address, confirm.elapsed),
        (Kind::Confirm, None, Some(address()), 0)
    );
    assert!(client.lease().is_some());
    let (mut moved, mut silent) = (client.clone(), client.clone());
    assert_eq!(client.packet(&bare(confirm.xid, 0), MAC, tick(302)), []);
    assert_eq!(client.deadline(), Some(Millis::seconds(1902)), "all is as it was");
    // Another link.
    let actions = moved.packet(&bare(confirm.xid, NOT_ON_LINK), MAC, tick(302));
    assert_eq!((query(&actions).kind, moved.lease()), (Kind::Solicit, None));
    // Nobody answers: RFC 8415 §18.2.3 has the lease kept.
    let mut sent = 0;
    while silent.deadline() != Some(Millis::seconds(1902)) {
        let (now, actions) = waits(&mut silent);
        assert!(now < Millis::seconds(316));
        sent += actions.len();
    }
    assert!(silent.lease().is_some() && (3..6).contains(&sent), "{sent}");
}

#[test]
fn a_lease_of_before_is_confirmed_only_if_the_carrier_was_away() {
    let lease = bound().lease().cloned();
    let mut there = Client::new(lease.clone(), None, true);
    assert_eq!(there.link(MANAGED, MAC, tick(110)), []);
    assert_eq!(there.deadline(), Some(Millis::seconds(1902)));
    let mut away = Client::new(lease, None, false);
    assert_eq!(away.link(MANAGED, MAC, tick(110)), []);
    assert_eq!(query(&waits(&mut away).1).kind, Kind::Confirm);
}

#[test]
fn where_no_router_speaks_of_addresses_any_more_none_is_asked_for_and_a_held_one_is_kept() {
    let mut client = Client::default();
    let solicit = query(&client.link(MANAGED, MAC, tick(100))).clone();
    assert_eq!(client.link(SILENT, MAC, tick(100)), []);
    let late = client.packet(&reply(Kind::Advertise, solicit.xid, 3600), MAC, tick(100));
    assert_eq!(late, []);
    assert_eq!(waits(&mut client).1, []);
    assert_eq!(client.deadline(), None);
    assert_eq!(query(&client.link(MANAGED, MAC, tick(200))).kind, Kind::Solicit, "it may come back");

    let mut client = bound();
    client.link(SILENT, MAC, tick(200));
    assert_eq!(query(&client.timer(MAC, tick(1902))).kind, Kind::Renew);
    let end = client.lease().expect("a lease").expire;
    let said = client.timer(MAC, at(end));
    assert!(matches!(&said[..], [Action::Say(text)] if !text.contains("asking anew")), "{said:?}");
}

#[test]
fn a_router_that_changes_its_mind_all_the_time_has_few_packets_sent() {
    let mut client = Client::default();
    let mut sent = 0;
    for step in 0..1000 {
        let now = at(Millis(100_000 + 10 * step));
        let mut actions = client.timer(MAC, now);
        actions.extend(client.link(if step % 2 == 0 { MANAGED } else { STATELESS }, MAC, now));
        sent += actions.iter().filter(|action| matches!(action, Action::Send(_))).count();
    }
    assert!((1..25).contains(&sent), "{sent} packets in ten seconds");
}

#[test]
fn settings_come_without_an_address_and_are_asked_for_again() {
    let mut client = Client::default();
    assert_eq!(client.link(STATELESS, MAC, tick(100)), [], "not all at once");
    let (now, actions) = waits(&mut client);
    let asked = query(&actions).clone();
    assert!(now < Millis::seconds(101));
    assert_eq!((asked.kind, asked.server, asked.address), (Kind::Information, None, None));
    let mut again = client.clone();
    assert_eq!(query(&waits(&mut again).1).kind, Kind::Information, "nobody answered");
    let says = |refresh| Reply { refresh, ..bare(asked.xid, 0) };
    for (refresh, seconds) in [(None, 86_400), (Some(5), 600), (Some(7200), 7200), (Some(u32::MAX), 86_400)] {
        let mut client = client.clone();
        client.packet(&says(refresh), MAC, tick(101));
        assert_eq!(client.deadline(), Some(Millis::seconds(101 + seconds)), "{refresh:?}");
    }
    let bad = client.packet(&bare(asked.xid, 1), MAC, tick(101));
    assert!(matches!(&bad[..], [Action::Say(text)] if text.contains("is not taken")), "{bad:?}");
    let said = client.packet(&says(Some(600)), MAC, tick(101));
    assert_eq!(said, [Action::Say("a DHCPv6 server tells of name servers (1) and time servers (0)".into())]);
    let settings = client.settings().expect("settings").clone();
    assert_eq!((settings.dns.len(), &settings.search[..]), (1, &["six.example".to_owned()][..]));
    assert_eq!(client.lease(), None);

    // They hold while they are asked for again.
    assert_eq!(client.timer(MAC, tick(701)), []);
    let asked = query(&waits(&mut client).1).clone();
    assert_eq!((asked.kind, client.settings()), (Kind::Information, Some(&settings)));
    let other = Reply { dns: vec![another()], ..bare(asked.xid, 0) };
    assert_eq!(client.packet(&other, MAC, tick(703)), [], "no news");
    assert_eq!(client.settings().map(|settings| &settings.dns[..]), Some(&[another()][..]));
}

#[test]
fn settings_are_asked_for_after_the_carrier_was_away_and_end_where_no_router_speaks_of_them() {
    let mut client = Client::default();
    client.link(STATELESS, MAC, tick(100));
    let asked = query(&waits(&mut client).1).clone();
    client.packet(&bare(asked.xid, 0), MAC, tick(101));
    let mut gone = client.clone();
    client.link(Line { carrier: false, ..STATELESS }, MAC, tick(200));
    assert_eq!(client.deadline(), None);
    client.link(STATELESS, MAC, tick(300));
    assert!(client.settings().is_some());
    let (now, actions) = waits(&mut client);
    assert!(now < Millis::seconds(301));
    assert_eq!(query(&actions).kind, Kind::Information);
    // One of several routers says nothing of them: they hold until their time.
    gone.link(SILENT, MAC, tick(200));
    assert!(gone.settings().is_some());
    let (now, actions) = waits(&mut gone);
    assert_eq!((now, gone.settings(), gone.deadline()), (Millis::seconds(101 + 86_400), None, None));
    assert!(matches!(&actions[..], [Action::Say(_)]), "others have to hear of it: {actions:?}");
}

#[test]
fn an_address_wins_over_settings() {
    let mut client = Client::default();
    client.link(STATELESS, MAC, tick(100));
    // Before they are asked for, and after.
    let mut early = client.clone();
    assert_eq!(query(&early.link(MANAGED, MAC, tick(100))).kind, Kind::Solicit);
    let asked = query(&waits(&mut client).1).clone();
    client.packet(&bare(asked.xid, 0), MAC, tick(101));
    let actions = client.link(MANAGED, MAC, tick(102));
    assert_eq!(query(&actions).kind, Kind::Solicit);
    let settings = client.settings().cloned();
    assert!(settings.is_some(), "until there is a lease");
    let actions = client.packet(&reply(Kind::Advertise, query(&actions).xid, 3600), MAC, tick(103));
    client.packet(&reply(Kind::Reply, query(&actions).xid, 3600), MAC, tick(104));
    assert!(client.lease().is_some() && client.settings().is_none());
    let both = Client::new(client.lease().cloned(), settings, true);
    assert_eq!(both.settings(), None);
}

proptest! {
    /// Whatever links, servers and clocks do: nothing is sent without a carrier, nobody has the client send without end, no
    /// lease is used past its end, and no deadline that has passed is waited for.
    #[test]
    fn no_script_breaks_it(events in proptest::collection::vec((0u8..8, 0u64..5000, any::<u32>()), 0..60)) {
        let mut client = Client::default();
        let mut line = Line::default();
        let mut now = 100;
        for (event, wait, number) in events {
            now += wait;
            let before = line.carrier;
            let mut actions = client.timer(MAC, tick(now));
            match event {
                0 => line.carrier = !line.carrier,
                1 => line.managed = !line.managed,
                2 => line.other = !line.other,
                _ => {}
            }
            let status = (number % 6) as u16;
            let packet = match event {
                3 => Some(reply(Kind::Advertise, 0x12_3456, number)),
                4 => Some(reply(Kind::Reply, 0x12_3456, number)),
                5 => Some(bare(0x12_3456, status)),
                6 => Some(Reply { withdrawn: vec![address()], ..bare(0x12_3456, 0) }),
                _ => None,
            };
            actions.extend(client.link(line, MAC, tick(now)));
            actions.extend(packet.map(|packet| client.packet(&packet, MAC, tick(now))).unwrap_or_default());
            if event == 7 {
                actions.extend(client.duplicate(address(), MAC, tick(now)));
            }
            // The end of a question may be the start of another one.
            for _ in 0..2 {
                actions.extend(client.timer(MAC, tick(now)));
            }
            let sent = actions.iter().filter(|action| matches!(action, Action::Send(_))).count();
            let most = match (before, line.carrier) {
                (false, false) => 0,
                (true, false) => 1,
                (_, true) => 4,
            };
            prop_assert!(sent <= most, "{} packets: {:?}", sent, client);
            prop_assert!(client.lease().is_none_or(|lease| lease.expire > Millis::seconds(now)));
            prop_assert!(client.deadline().is_none_or(|deadline| deadline > Millis::seconds(now)), "{:?}", client);
        }
    }
}
