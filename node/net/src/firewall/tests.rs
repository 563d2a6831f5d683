//! The rules as bytes that are whole. Their text is `orlop-config`'s, what the kernel makes of them the namespace tests'.

use super::message::transaction;
use crate::netlink::message::Messages;
use orlop_config::firewall::{Openings, Ports, Protocol, closed, joined};
use proptest::prelude::*;
use std::net::IpAddr;

proptest! {
    #[test]
    fn every_set_of_rules_is_one_transaction(networks in proptest::collection::vec((any::<IpAddr>(), 0u8..=32), 0..8), ports in proptest::collection::vec(1u16.., 0..8), first in 1u32..1 << 30) {
        let open = ports.into_iter().map(|port| Ports::one(Protocol::Tcp, port)).collect();
        let openings = Openings { open, ..Openings::default() };
        for rules in [closed(), joined(&openings, &networks)] {
            let (bytes, last) = transaction(&rules, 6, first);
            let numbers: Vec<u32> = Messages(&bytes).map(|message| message.sequence).collect();
            // Beginning and end, the table taken away and made, three chains.
            prop_assert_eq!(numbers.len(), rules.len() + 8);
            prop_assert!(numbers.iter().copied().eq(first..=last + 1));
        }
    }
}

/// A socket takes 212,992 bytes at once where nobody said otherwise.
#[test]
fn the_most_that_documents_may_ask_for_fits_into_one_message_of_a_socket() {
    let ports =
        |from: u16| (0..64).map(move |number| Ports { first: from, last: from + number, protocol: Protocol::Udp });
    let openings =
        Openings { open: ports(1).collect(), open_to_cluster: ports(200).collect(), pods_reach_metadata: false };
    let networks: Vec<(IpAddr, u8)> = (0..32).map(|last| ([0x2001, 0, 0, 0, 0, 0, 0, last].into(), 128)).collect();
    let (bytes, _) = transaction(&joined(&openings, &networks), 6, 1);
    assert!(bytes.len() < 150_000, "{}", bytes.len());
}
