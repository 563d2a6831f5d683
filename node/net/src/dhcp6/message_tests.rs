//! Packets of real servers, hostile ones and arbitrary ones.

use super::*;
use crate::dhcp6::{Lease, Settings};
use crate::time::Millis;
use proptest::prelude::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER: &[u8] = &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9];
/// An answer of dnsmasq to a question without an address.
const INFORMATION: &[u8] = include_bytes!("../../tests/corpus/dhcp6/dnsmasq-information.bin");

fn address() -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x123)
}

fn another() -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x124)
}

/// The options of RFC 8415 in a reply, as a server writes it: these addresses, each preferred and valid for so many seconds.
fn packet(given: &[(Ipv6Addr, u32, u32)]) -> Vec<u8> {
    let mut packet = vec![7, 0x12, 0x34, 0x56];
    let mut association = vec![0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 200];
    for (address, preferred, seconds) in given {
        association.extend_from_slice(&[0, 5, 0, 24]);
        association.extend_from_slice(&address.octets());
        association.extend_from_slice(&[preferred.to_be_bytes(), seconds.to_be_bytes()].concat());
    }
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
    let packet = packet(&[(address(), 200, 300)]);
    let reply = Reply::parse(&packet, MAC).expect("a reply");
    assert_eq!((reply.kind, reply.xid, reply.t1, reply.t2), (Kind::Reply, 0x12_3456, 100, 200));
    assert_eq!(reply.given, Some(Given { address: address(), preferred: 200, seconds: 300 }));
    assert_eq!((reply.dns, reply.search), (vec![address()], vec!["six.example".into()]));
    assert_eq!(Reply::parse(&packet, [2, 0, 0, 0, 0, 2]), None);
    for end in 0..packet.len() {
        let _ = Reply::parse(&packet[..end], MAC);
    }
}

#[test]
fn of_several_addresses_the_first_that_may_be_used_is_taken() {
    let read = |given: &[(Ipv6Addr, u32, u32)]| Reply::parse(&packet(given), MAC).expect("a reply");
    for given in [[(address(), 0, 0), (another(), 200, 300)], [(another(), 200, 300), (address(), 0, 0)]] {
        let reply = read(&given);
        assert_eq!(reply.given, Some(Given { address: another(), preferred: 200, seconds: 300 }));
        assert_eq!(reply.withdrawn, [address()]);
    }
    let first = |given: &[(Ipv6Addr, u32, u32)]| read(given).given.map(|given| given.address);
    assert_eq!(first(&[(another(), 200, 300), (address(), 300, 300)]), Some(another()));
    let none = read(&[(address(), 0, 0); 40]);
    assert_eq!((none.given, none.withdrawn.len()), (None, 8));
}

/// A network that gets other addresses: the old one may be used, and is not withdrawn, but is to be had for want of a better.
#[test]
fn of_several_addresses_one_that_is_preferred_is_taken() {
    let read = |given: &[(Ipv6Addr, u32, u32)]| Reply::parse(&packet(given), MAC).expect("a reply");
    for given in [[(address(), 0, 300), (another(), 1, 300)], [(another(), 1, 300), (address(), 0, 300)]] {
        let reply = read(&given);
        assert_eq!(reply.given, Some(Given { address: another(), preferred: 1, seconds: 300 }));
        assert!(reply.withdrawn.is_empty(), "{:?}", reply.withdrawn);
    }
    let reply = read(&[(address(), 0, 300), (another(), 0, 300)]);
    assert_eq!(reply.given, Some(Given { address: address(), preferred: 0, seconds: 300 }));
    let lease = Lease::of(&reply, Millis::seconds(10)).expect("a lease");
    assert_eq!((lease.preferred, lease.expire), (Millis::seconds(10), Millis::seconds(310)));
}

#[test]
fn no_address_is_preferred_for_longer_than_it_holds() {
    const FOREVER: u32 = u32::MAX;
    const DAY: u32 = 86_400;
    let cases = [
        (200, 300, 200, 300),
        (300, 300, 300, 300),
        (400, 300, 300, 300),
        (FOREVER, 300, 300, 300),
        (3600, FOREVER, 3600, DAY),
        // Both "for ever": never deprecated, though asked for again after a day.
        (FOREVER, FOREVER, DAY, DAY),
    ];
    for (preferred, seconds, until, end) in cases {
        let reply = Reply::parse(&packet(&[(address(), preferred, seconds)]), MAC).expect("a reply");
        let lease = Lease::of(&reply, Millis(0)).expect("a lease");
        let found = (lease.preferred, lease.expire);
        assert_eq!(found, (Millis::seconds(until.into()), Millis::seconds(end.into())), "{preferred} {seconds}");
    }
}

/// What a server leaves to the client comes in time: before the address is deprecated.
#[test]
fn an_address_is_asked_for_again_while_it_is_preferred() {
    let bare = |preferred| {
        let reply = Reply::parse(&packet(&[(address(), preferred, 3600)]), MAC).expect("a reply");
        Lease::of(&Reply { t1: 0, t2: 0, ..reply }, Millis(0)).expect("a lease")
    };
    let times = |lease: Lease| (lease.renew.as_seconds(), lease.rebind.as_seconds());
    assert_eq!(times(bare(3600)), (1800, 2880));
    assert_eq!(times(bare(1000)), (500, 800));
    // Not all the time.
    assert_eq!(times(bare(20)), (10, 16));
    assert_eq!((times(bare(19)), times(bare(0))), ((1800, 2880), (1800, 2880)));
}

#[test]
fn packets_have_the_options_that_belong_into_them() {
    let encoded = |kind: Kind| {
        let one = matches!(kind, Kind::Request | Kind::Renew | Kind::Decline).then(|| SERVER.to_vec());
        let address = (kind != Kind::Solicit).then(address);
        Query { kind, xid: 0x12_3456, elapsed: 5, mac: MAC, server: one, address }.encode()
    };
    let kinds = |packet: &[u8]| {
        let mut kinds = Vec::new();
        let mut rest = &packet[4..];
        while let [high, low, long, short, value @ ..] = rest {
            kinds.push(u16::from_be_bytes([*high, *low]));
            rest = &value[usize::from(u16::from_be_bytes([*long, *short]))..];
        }
        kinds
    };
    assert_eq!(encoded(Kind::Decline)[..4], [9, 0x12, 0x34, 0x56]);
    assert_eq!(kinds(&encoded(Kind::Solicit)), [1, 8, 6, 3]);
    assert_eq!(kinds(&encoded(Kind::Request)), [1, 2, 8, 6, 3]);
    assert_eq!(kinds(&encoded(Kind::Confirm)), [1, 8, 3]);
    assert_eq!(kinds(&encoded(Kind::Decline)), [1, 2, 8, 3]);
    let information = encoded(Kind::Information);
    assert_eq!((information[0], kinds(&information)), (11, vec![1, 8, 6]));
    assert!(information.ends_with(&[0, 23, 0, 24, 0, 56, 0, 32]), "{information:?}");
}

#[test]
fn an_answer_of_dnsmasq_without_an_address_is_read() {
    let reply = Reply::parse(INFORMATION, [0x52, 0x54, 0, 0, 0, 2]).expect("a reply");
    assert_eq!((reply.kind, reply.refresh, reply.given), (Kind::Reply, Some(600), None));
    let settings = Settings::of(&reply, Millis(0)).expect("settings");
    let of = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
    assert_eq!((settings.dns, settings.ntp), (vec![of(1), of(2)], vec![of(1)]));
    assert_eq!((settings.search, settings.refresh), (vec!["six.example".into()], Millis::seconds(600)));
}

proptest! {
    #[test]
    fn no_packet_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..100, with: u8) {
        let _ = Reply::parse(&bytes, MAC);
        let mut packet = packet(&[(address(), 200, 300)]);
        let at = at.min(packet.len() - 1);
        packet[at] = with;
        if let Some(reply) = Reply::parse(&packet, MAC) {
            let _ = (Lease::of(&reply, Millis(0)), Settings::of(&reply, Millis(0)));
        }
    }
}
