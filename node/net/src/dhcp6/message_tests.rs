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

/// The options of RFC 8415 in a reply, as a server writes it: these addresses, each for so many seconds.
fn packet(given: &[(Ipv6Addr, u32)]) -> Vec<u8> {
    let mut packet = vec![7, 0x12, 0x34, 0x56];
    let mut association = vec![0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 200];
    for (address, seconds) in given {
        association.extend_from_slice(&[0, 5, 0, 24]);
        association.extend_from_slice(&address.octets());
        association.extend_from_slice(&[[0, 0, 1, 0], seconds.to_be_bytes()].concat());
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
    let packet = packet(&[(address(), 300)]);
    let reply = Reply::parse(&packet, MAC).expect("a reply");
    assert_eq!((reply.kind, reply.xid, reply.t1, reply.t2), (Kind::Reply, 0x12_3456, 100, 200));
    assert_eq!(reply.given, Some(Given { address: address(), seconds: 300 }));
    assert_eq!((reply.dns, reply.search), (vec![address()], vec!["six.example".into()]));
    assert_eq!(Reply::parse(&packet, [2, 0, 0, 0, 0, 2]), None);
    for end in 0..packet.len() {
        let _ = Reply::parse(&packet[..end], MAC);
    }
}

#[test]
fn of_several_addresses_the_first_that_may_be_used_is_taken() {
    let read = |given: &[(Ipv6Addr, u32)]| Reply::parse(&packet(given), MAC).expect("a reply");
    for given in [[(address(), 0), (another(), 300)], [(another(), 300), (address(), 0)]] {
        let reply = read(&given);
        assert_eq!(reply.given, Some(Given { address: another(), seconds: 300 }));
        assert_eq!(reply.withdrawn, [address()]);
    }
    assert_eq!(read(&[(another(), 300), (address(), 300)]).given.map(|given| given.address), Some(another()));
    let none = read(&[(address(), 0); 40]);
    assert_eq!((none.given, none.withdrawn.len()), (None, 8));
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
        let mut packet = packet(&[(address(), 300)]);
        let at = at.min(packet.len() - 1);
        packet[at] = with;
        if let Some(reply) = Reply::parse(&packet, MAC) {
            let _ = (Lease::of(&reply, Millis(0)), Settings::of(&reply, Millis(0)));
        }
    }
}
