//! Packets and the client by scripts.

use super::*;
use crate::dhcp6::message::Given;
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9];

fn address() -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x123)
}

fn tick(seconds: u64) -> Tick {
    Tick { now: Millis::seconds(seconds), random: 0xaa12_3456 }
}

fn reply(kind: Kind, xid: u32, seconds: u32) -> Reply {
    Reply {
        kind,
        xid,
        server: SERVER.to_vec(),
        given: Some(Given { address: address(), seconds }),
        status: 0,
        t1: 0,
        t2: 0,
        dns: vec![Ipv6Addr::LOCALHOST, "2001:db8::53".parse().expect("an address")],
        search: vec!["six.example".into()],
        ntp: Vec::new(),
    }
}

fn query(actions: &[Action]) -> &Query {
    let sent = actions.iter().find_map(|action| match action {
        Action::Send(query) => Some(query),
        Action::Say(_) => None,
    });
    sent.expect("a packet")
}

fn bound() -> Client {
    let mut client = Client::default();
    let actions = client.start(MAC, tick(100));
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

/// The options of RFC 8415 in a reply, as a server writes it.
fn packet() -> Vec<u8> {
    let mut packet = vec![7, 0x12, 0x34, 0x56];
    let association =
        [&[0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 200, 0, 5, 0, 24][..], &address().octets(), &[0, 0, 1, 0, 0, 0, 1, 44]]
            .concat();
    let options: [(u16, &[u8]); 5] = [
        (1, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]),
        (2, SERVER),
        (3, &association),
        (23, &address().octets()),
        (24, b"\x03six\x07example\0"),
    ];
    for (kind, value) in options {
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&(value.len() as u16).to_be_bytes());
        packet.extend_from_slice(value);
    }
    packet
}

#[test]
fn a_packet_is_read_and_only_by_its_card() {
    let reply = Reply::parse(&packet(), MAC).expect("a reply");
    assert_eq!((reply.kind, reply.xid, reply.t1, reply.t2), (Kind::Reply, 0x12_3456, 100, 200));
    assert_eq!(reply.given, Some(Given { address: address(), seconds: 300 }));
    assert_eq!((reply.dns, reply.search), (vec![address()], vec!["six.example".into()]));
    assert_eq!(Reply::parse(&packet(), [2, 0, 0, 0, 0, 2]), None);
    for end in 0..packet().len() {
        let _ = Reply::parse(&packet()[..end], MAC);
    }
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
    other.server = vec![0, 9];
    assert_eq!(after.packet(&other, MAC, tick(2983)), [], "the address stays: no news");
    assert_eq!(after.lease().expect("a lease").server, [0, 9]);
    let actions = client.timer(MAC, tick(3702));
    assert_eq!((query(&actions).kind, client.lease()), (Kind::Solicit, None));
}

#[test]
fn hostile_answers_are_refused() {
    let mut client = bound();
    let actions = client.timer(MAC, tick(1902));
    let xid = query(&actions).xid;
    let before = client.clone();
    let mut stranger = reply(Kind::Reply, xid ^ 1, 3600);
    assert_eq!(client.packet(&stranger, MAC, tick(1903)), []);
    stranger = reply(Kind::Reply, xid, 3600);
    stranger.server = vec![0, 9];
    assert_eq!(client.packet(&stranger, MAC, tick(1903)), []);
    for (seconds, status, address) in [(1, 0, address()), (3600, 2, address()), (3600, 0, Ipv6Addr::LOCALHOST)] {
        let bad = Reply { status, given: Some(Given { address, seconds }), ..reply(Kind::Reply, xid, 3600) };
        let said = client.packet(&bad, MAC, tick(1903));
        assert!(matches!(&said[..], [Action::Say(text)] if text.contains("is not taken")), "{said:?}");
    }
    assert_eq!(client, before, "the lease stays");
}

#[test]
fn an_advertised_address_that_is_not_kept_is_asked_for_anew() {
    let mut client = Client::default();
    let xid = query(&client.start(MAC, tick(1))).xid;
    client.packet(&reply(Kind::Advertise, xid, 3600), MAC, tick(1));
    let kinds: Vec<Kind> = (0..6)
        .map(|_| {
            let now = client.deadline().expect("a deadline").as_seconds() + 1;
            query(&client.timer(MAC, tick(now))).kind
        })
        .collect();
    assert_eq!(kinds[3..], [Kind::Request, Kind::Solicit, Kind::Solicit]);
}

proptest! {
    #[test]
    fn no_packet_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..100, with: u8) {
        let _ = Reply::parse(&bytes, MAC);
        let mut packet = packet();
        let at = at.min(packet.len() - 1);
        packet[at] = with;
        if let Some(reply) = Reply::parse(&packet, MAC) {
            let _ = Lease::of(&reply, Millis(0));
        }
    }

    #[test]
    fn no_script_uses_a_lease_past_its_end(events in proptest::collection::vec((0u8..4, 0u64..5000, any::<u32>()), 0..40)) {
        let mut client = Client::default();
        let mut now = 100;
        for (event, wait, seconds) in events {
            now += wait;
            client.timer(MAC, tick(now));
            let kind = if event % 2 == 0 { Kind::Advertise } else { Kind::Reply };
            if event < 2 {
                client.start(MAC, tick(now));
            } else {
                client.packet(&reply(kind, 0x12_3456, seconds), MAC, tick(now));
            }
            prop_assert!(client.lease().is_none_or(|lease| lease.expire > Millis::seconds(now)));
        }
    }
}
