//! Packets of real servers, hostile ones and arbitrary ones.

use super::*;
use crate::dhcp4::Lease;
use crate::time::Millis;
use proptest::prelude::*;

const OFFER: &[u8] = include_bytes!("../../tests/corpus/dhcp4/dnsmasq-offer.bin");
const ACK: &[u8] = include_bytes!("../../tests/corpus/dhcp4/dnsmasq-ack.bin");
const RENEWED: &[u8] = include_bytes!("../../tests/corpus/dhcp4/dnsmasq-renewed.bin");

/// An option.
type Bytes<'a> = (u8, &'a [u8]);

/// A reply of these options.
pub fn packet(options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = vec![0; FIXED];
    packet[..3].copy_from_slice(&[BOOT_REPLY, 1, 6]);
    packet[4..8].copy_from_slice(&7u32.to_be_bytes());
    packet[16..20].copy_from_slice(&[192, 0, 2, 59]);
    packet[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    packet[236..].copy_from_slice(&MAGIC);
    for (kind, value) in options {
        packet.extend_from_slice(&[*kind, value.len() as u8]);
        packet.extend_from_slice(value);
    }
    packet.push(END);
    packet
}

const ENOUGH: [(u8, &[u8]); 4] =
    [(KIND, &[5]), (SERVER, &[192, 0, 2, 1]), (NETMASK, &[255, 255, 255, 0]), (LEASE_TIME, &[0, 0, 14, 16])];

fn lease(more: &[(u8, &[u8])]) -> Result<Lease, String> {
    // The first of two options of one number would be joined with the second: `more` takes its place.
    let mut options: Vec<(u8, &[u8])> = more.to_vec();
    options.extend(ENOUGH.iter().filter(|(kind, _)| more.iter().all(|(other, _)| other != kind)));
    Lease::of(&Reply::parse(&packet(&options)).expect("a reply"), Millis::seconds(100))
}

#[test]
fn an_offer_of_dnsmasq_is_read() {
    let offer = Reply::parse(OFFER).expect("a reply");
    assert_eq!(offer.kind, Kind::Offer);
    assert_eq!(offer.address, Ipv4Addr::new(192, 0, 2, 59));
    assert_eq!(offer.server, Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(offer.netmask, Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(offer.routers, [Ipv4Addr::new(192, 0, 2, 1)]);
    assert_eq!(offer.search, ["lab.example", "example"]);
    assert_eq!((offer.mtu, offer.seconds, offer.t1), (Some(1400), Some(120), Some(20)));
    assert_eq!(offer.ntp, [Ipv4Addr::new(192, 0, 2, 1)]);
    for ack in [ACK, RENEWED] {
        assert_eq!(Reply::parse(ack).expect("a reply").kind, Kind::Ack);
    }
}

#[test]
fn every_cut_of_a_packet_is_harmless() {
    for end in 0..OFFER.len() {
        let _ = Reply::parse(&OFFER[..end]).map(|reply| Lease::of(&reply, Millis(0)));
    }
}

#[test]
fn a_query_is_one_that_servers_know() {
    let query = Query {
        kind: Kind::Request,
        xid: 0x0102_0304,
        seconds: 3,
        mac: [2, 0, 0, 0, 0, 1],
        current: Ipv4Addr::UNSPECIFIED,
        requested: Some(Ipv4Addr::new(192, 0, 2, 59)),
        server: Some(Ipv4Addr::new(192, 0, 2, 1)),
        host_name: Some("node".into()),
    };
    let bytes = query.encode();
    assert_eq!(bytes.len(), 300);
    assert_eq!(bytes[..12], [1, 1, 6, 0, 1, 2, 3, 4, 0, 3, 0x80, 0]);
    assert_eq!(bytes[240..243], [53, 1, 3]);
    assert!(bytes.windows(6).any(|part| part == [50, 4, 192, 0, 2, 59]));
    assert!(bytes.windows(6).any(|part| part == *b"\x0c\x04node"));
    assert!(Reply::parse(&bytes).is_none(), "a query is no reply");
}

#[test]
fn options_may_be_cut_into_pieces_and_overflow_into_other_fields() {
    let mut bytes = packet(&[(KIND, &[2]), (OVERLOAD, &[3]), (DNS, &[192, 0]), (DNS, &[2, 9])]);
    bytes[108..115].copy_from_slice(&[SERVER, 4, 192, 0, 2, 1, END]);
    bytes[44..51].copy_from_slice(&[ROUTER, 4, 192, 0, 2, 3, END]);
    let reply = Reply::parse(&bytes).expect("a reply");
    assert_eq!(reply.dns, [Ipv4Addr::new(192, 0, 2, 9)]);
    assert_eq!(reply.server, Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(reply.routers, [Ipv4Addr::new(192, 0, 2, 3)]);
}

#[test]
fn routes_of_option_121_take_the_place_of_the_router() {
    // RFC 3442: 10.0.0.0/8 by 192.0.2.2, everything by 192.0.2.3; and an on-link one.
    let routes = [8, 10, 192, 0, 2, 2, 0, 192, 0, 2, 3, 32, 192, 0, 2, 3, 0, 0, 0, 0];
    let lease = lease(&[(ROUTES, &routes), (ROUTER, &[192, 0, 2, 1])]).expect("a lease");
    assert_eq!(lease.router, Some(Ipv4Addr::new(192, 0, 2, 3)));
    assert_eq!(lease.routes.len(), 2);
    assert_eq!(lease.routes[0].prefix, 8);
}

#[test]
fn halves_of_the_world_and_routes_to_oneself_are_not_taken() {
    let halves = [1, 0, 192, 0, 2, 2, 1, 128, 192, 0, 2, 2, 8, 127, 192, 0, 2, 2, 24, 198, 51, 100, 192, 0, 2, 59];
    let lease = lease(&[(ROUTES, &halves)]).expect("a lease");
    assert_eq!((lease.router, lease.routes), (None, Vec::new()));
}

#[test]
fn the_broadcast_address_is_no_router() {
    let broadcast = Ipv4Addr::new(192, 0, 2, 255);
    let routed = lease(&[(ROUTES, &[8, 10, 192, 0, 2, 255, 0, 192, 0, 2, 255])]).expect("a lease");
    assert_eq!((routed.router, routed.routes), (None, Vec::new()));
    let second = lease(&[(ROUTER, &[192, 0, 2, 255, 192, 0, 2, 1])]).expect("a lease");
    assert_eq!(second.router, Some(Ipv4Addr::new(192, 0, 2, 1)));
    // A network of one address has none, and that of a larger one is another.
    for netmask in [[255, 255, 255, 255], [255, 255, 0, 0]] {
        let lease = lease(&[(NETMASK, &netmask), (ROUTER, &broadcast.octets())]).expect("a lease");
        assert_eq!(lease.router, Some(broadcast));
    }
}

#[test]
fn hostile_answers_are_refused_by_name() {
    let cases: [(&[Bytes<'_>], &str); 6] = [
        (&[(LEASE_TIME, &[0, 0, 0, 1])], "a lease of 1 s is shorter than 20 s"),
        (&[(LEASE_TIME, &[1])], "it says no lease time"),
        (&[(SERVER, &[127, 0, 0, 1])], "it names no server"),
        (&[(SERVER, &[224, 0, 0, 1])], "it names no server"),
        (&[(NETMASK, &[255, 0, 255, 0])], "255.0.255.0 is no netmask"),
        (&[(NETMASK, &[0, 0, 0, 0])], "0.0.0.0 is no netmask"),
    ];
    for (options, why) in cases {
        assert_eq!(lease(options), Err(why.into()));
    }
    for address in [[0, 0, 0, 0], [127, 0, 0, 1], [169, 254, 169, 254], [224, 0, 0, 1], [255, 255, 255, 255]] {
        let mut bytes = packet(&ENOUGH);
        bytes[16..20].copy_from_slice(&address);
        let reply = Reply::parse(&bytes).expect("a reply");
        assert!(Lease::of(&reply, Millis(0)).is_err(), "{address:?}");
    }
}

#[test]
fn settings_that_would_do_harm_are_left_out() {
    let lease = lease(&[
        (MTU, &[0, 68]),
        (DNS, &[127, 0, 0, 1, 192, 0, 2, 9]),
        (DOMAIN, b"a\nnameserver 203.0.113.1"),
        (T1, &[0, 0, 0, 0]),
        (T2, &[255, 255, 255, 255]),
    ])
    .expect("a lease");
    assert_eq!(lease.mtu, None);
    assert_eq!(lease.dns, [Ipv4Addr::new(192, 0, 2, 9)]);
    assert!(lease.search.is_empty());
    assert_eq!(lease.renew, Millis::seconds(100 + 1800));
    assert_eq!(lease.rebind, Millis::seconds(100 + 3150));
    assert_eq!(lease.expire, Millis::seconds(100 + 3600));
}

proptest! {
    #[test]
    fn no_packet_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Reply::parse(&bytes);
    }

    #[test]
    fn no_options_are_a_panic_or_a_lease_that_harms(options in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = packet(&ENOUGH);
        bytes.pop();
        bytes.extend(options);
        if let Some(Ok(lease)) = Reply::parse(&bytes).map(|reply| Lease::of(&reply, Millis(5))) {
            prop_assert!(lease.renew <= lease.rebind && lease.rebind <= lease.expire);
            prop_assert!(lease.renew >= Millis::seconds(10));
            prop_assert!(lease.mtu.is_none_or(|mtu| mtu >= 1280));
            prop_assert!(lease.routes.iter().all(|route| route.prefix >= 2));
        }
    }

    #[test]
    fn a_flipped_byte_of_a_real_packet_is_harmless(at in 0..ACK.len(), with: u8) {
        let mut bytes = ACK.to_vec();
        bytes[at] ^= with;
        let _ = Reply::parse(&bytes).map(|reply| Lease::of(&reply, Millis(0)));
    }
}
