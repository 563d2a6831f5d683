//! The client by scripts: what happens, and what it does then.

use super::*;
use crate::dhcp4::message::StaticRoute;
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 59);

/// A client with a clock that goes from deadline to deadline.
struct Script {
    client: Client,
    now: Millis,
    sent: Vec<(Query, Option<Ipv4Addr>)>,
    said: Vec<String>,
}

impl Script {
    fn new(lease: Option<Lease>) -> Self {
        Script { client: Client::new(lease), now: Millis::seconds(1000), sent: Vec::new(), said: Vec::new() }
    }

    fn tick(&self) -> Tick {
        Tick { now: self.now, random: 0x1234_5678 }
    }

    fn happens(&mut self, event: &Event<'_>) -> &mut Self {
        let who = Identity { mac: MAC, host_name: None };
        let (client, actions) = step(&who, self.client.clone(), event, self.tick());
        self.client = client;
        for action in actions {
            match action {
                Action::Send(query, to) => self.sent.push((query, to)),
                Action::Say(text) => self.said.push(text),
            }
        }
        self
    }

    /// The clock goes on to the next deadline.
    fn waits(&mut self) -> &mut Self {
        self.now = self.client.deadline().expect("a deadline").max(self.now);
        self.happens(&Event::Timer)
    }

    fn answers(&mut self, kind: Kind, server: Ipv4Addr) -> &mut Self {
        let xid = self.sent.last().expect("a question").0.xid;
        self.happens(&Event::Packet(&reply(kind, server, xid)))
    }

    fn bound() -> Self {
        let mut script = Script::new(None);
        script.happens(&Event::Up).answers(Kind::Offer, SERVER).answers(Kind::Ack, SERVER);
        assert!(matches!(script.client, Client::Bound(_)), "{:?}", script.client);
        script
    }

    fn last(&self) -> (Kind, Option<Ipv4Addr>) {
        self.sent.last().map(|(query, to)| (query.kind, *to)).expect("a packet")
    }
}

fn reply(kind: Kind, server: Ipv4Addr, xid: u32) -> Reply {
    Reply {
        kind,
        xid,
        mac: MAC,
        address: ADDRESS,
        server: Some(server),
        netmask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: vec![SERVER],
        dns: vec![SERVER],
        ntp: Vec::new(),
        search: Vec::new(),
        mtu: None,
        routes: Vec::<StaticRoute>::new(),
        seconds: Some(3600),
        t1: None,
        t2: None,
    }
}

#[test]
fn an_address_is_asked_for_and_had() {
    let script = Script::bound();
    let kinds: Vec<Kind> = script.sent.iter().map(|(query, _)| query.kind).collect();
    assert_eq!(kinds, [Kind::Discover, Kind::Request]);
    assert_eq!(script.sent[1].0.requested, Some(ADDRESS));
    assert_eq!(script.sent[1].0.server, Some(SERVER));
    assert_eq!(script.client.lease().expect("a lease").renew, Millis::seconds(1000 + 1800));
    assert_eq!(script.said, ["DHCP server 192.0.2.1 gives 192.0.2.59/24"]);
}

#[test]
fn silence_is_asked_again_more_and_more_seldom() {
    let mut script = Script::new(None);
    script.happens(&Event::Up);
    let mut times = vec![script.now];
    for _ in 0..9 {
        script.waits();
        times.push(script.now);
    }
    let waits: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]).0).collect();
    assert!(waits[0] < 2300 && waits.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 35_300), "{waits:?}");
    assert_eq!(script.said, ["no DHCP server answers; asking on"]);
    // A late answer counts all the same.
    script.answers(Kind::Offer, SERVER).answers(Kind::Ack, SERVER);
    assert!(script.client.lease().is_some());
}

#[test]
fn an_offer_that_is_not_kept_is_forgotten() {
    let mut script = Script::new(None);
    script.happens(&Event::Up).answers(Kind::Offer, SERVER);
    for _ in 0..4 {
        assert_eq!(script.last().0, Kind::Request);
        script.waits();
    }
    assert_eq!(script.last().0, Kind::Discover);
}

#[test]
fn a_lease_is_renewed_by_its_server_then_by_any() {
    let mut script = Script::bound();
    script.waits();
    assert_eq!(script.last(), (Kind::Request, Some(SERVER)));
    assert_eq!(script.sent.last().map(|(query, _)| (query.current, query.requested)), Some((ADDRESS, None)));
    script.answers(Kind::Ack, SERVER);
    assert_eq!(script.client.lease().expect("a lease").expire, Millis::seconds(1000 + 1800 + 3600));
    assert_eq!(script.said.len(), 1, "an address that stays is no news");
    // Now the server is gone.
    while !matches!(script.client, Client::Rebinding(..)) {
        script.waits();
    }
    assert_eq!(script.last(), (Kind::Request, None));
    assert!(script.client.lease().is_some());
    script.answers(Kind::Ack, OTHER);
    assert_eq!(script.client.lease().expect("a lease").server, OTHER);
}

#[test]
fn a_lease_that_nobody_renews_ends_in_time_and_is_asked_for_anew() {
    let mut script = Script::bound();
    let end = script.client.lease().expect("a lease").expire;
    while script.client.lease().is_some() {
        assert!(script.now < end);
        script.waits();
    }
    assert_eq!(script.now, end);
    assert_eq!(script.last().0, Kind::Discover);
    assert!(script.sent.len() < 50, "{} packets in an hour", script.sent.len());
    // The server is back.
    script.answers(Kind::Offer, SERVER).answers(Kind::Ack, SERVER);
    assert!(script.client.lease().is_some());
}

#[test]
fn without_a_carrier_the_lease_stays_and_is_confirmed_after_it() {
    let mut script = Script::bound();
    script.happens(&Event::Down);
    assert!(script.client.lease().is_some());
    script.happens(&Event::Up);
    let (query, to) = script.sent.last().expect("a packet");
    assert_eq!((query.kind, query.requested, query.server, *to), (Kind::Request, Some(ADDRESS), None, None));
    // Another segment.
    script.answers(Kind::Nak, OTHER);
    assert!(script.client.lease().is_none());
    script.waits();
    assert_eq!(script.last().0, Kind::Discover);
}

#[test]
fn a_segment_without_a_server_does_not_cost_the_lease() {
    let mut script = Script::bound();
    script.happens(&Event::Down).happens(&Event::Up);
    for _ in 0..4 {
        script.waits();
    }
    assert!(matches!(script.client, Client::Bound(_)), "{:?}", script.client);
}

#[test]
fn a_lease_ends_without_a_carrier_too() {
    let mut script = Script::bound();
    script.happens(&Event::Down).waits();
    assert!(script.client.lease().is_none());
    script.happens(&Event::Up);
    assert_eq!(script.last().0, Kind::Discover);
}

#[test]
fn answers_of_others_count_for_nothing() {
    let mut script = Script::bound();
    script.waits();
    let before = script.client.clone();
    let xid = script.sent.last().expect("a packet").0.xid;
    let mut stranger = reply(Kind::Nak, SERVER, xid.wrapping_add(1));
    script.happens(&Event::Packet(&stranger));
    stranger = reply(Kind::Nak, OTHER, xid);
    script.happens(&Event::Packet(&stranger));
    stranger = reply(Kind::Nak, SERVER, xid);
    stranger.mac = [2, 0, 0, 0, 0, 2];
    script.happens(&Event::Packet(&stranger));
    stranger = reply(Kind::Discover, SERVER, xid);
    script.happens(&Event::Packet(&stranger));
    assert_eq!(script.client, before);
}

#[test]
fn a_server_that_refuses_everything_is_asked_without_hurry() {
    let mut script = Script::new(None);
    script.happens(&Event::Up);
    let start = script.now;
    for _ in 0..20 {
        script.answers(Kind::Offer, SERVER).answers(Kind::Nak, SERVER).waits();
    }
    assert!(script.now - start >= Millis::seconds(20 * 9));
}

#[test]
fn a_server_that_takes_its_address_back_is_asked_for_another_at_once() {
    let mut script = Script::bound();
    script.waits();
    let began = script.now;
    script.answers(Kind::Nak, SERVER);
    assert_eq!((script.client.lease(), script.last().0), (None, Kind::Discover));
    script.answers(Kind::Offer, SERVER).answers(Kind::Ack, SERVER);
    assert!(script.client.lease().is_some() && script.now == began);
}

#[test]
fn an_acknowledgement_that_is_worth_nothing_does_not_cost_the_lease() {
    let mut script = Script::bound();
    script.waits();
    let xid = script.sent.last().expect("a packet").0.xid;
    let mut bad = reply(Kind::Ack, SERVER, xid);
    bad.seconds = Some(0);
    script.happens(&Event::Packet(&bad));
    assert!(matches!(script.client, Client::Renewing(..)));
    assert!(script.said.last().expect("a line").contains("shorter than 20 s"));
}

proptest! {
    /// Whatever servers, carriers and clocks do: there is a deadline while the carrier is there, no lease is used past its
    /// end, and nobody can have the client send without end.
    #[test]
    fn no_script_breaks_it(events in proptest::collection::vec((0u8..8, 0u64..4_000_000, any::<u32>(), any::<bool>()), 0..60)) {
        let mut script = Script::new(None);
        for (event, wait, seconds, known) in events {
            let sent = script.sent.len();
            script.now = script.now + Millis(wait);
            script.happens(&Event::Timer);
            let xid = script.sent.last().map_or(0, |(query, _)| query.xid);
            let server = if known { SERVER } else { OTHER };
            let mut packet = reply([Kind::Offer, Kind::Ack, Kind::Nak][usize::from(event) % 3], server, xid);
            packet.seconds = Some(seconds);
            match event {
                0..=5 => script.happens(&Event::Packet(&packet)),
                6 => script.happens(&Event::Up),
                _ => script.happens(&Event::Down),
            };
            prop_assert!(script.sent.len() <= sent + 2);
            if let Some(lease) = script.client.lease() {
                prop_assert!(lease.expire > script.now, "{:?}", script.client);
            }
            if !matches!(script.client, Client::Down(_)) {
                prop_assert!(script.client.deadline().is_some());
            }
        }
    }
}
