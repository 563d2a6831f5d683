//! The rules as text, and as bytes that are whole.

use super::message::transaction;
use super::rules::{Protocol, rules};
use super::*;
use crate::netlink::message::Messages;
use proptest::prelude::*;
use std::net::IpAddr;

fn text(policy: &Policy) -> Vec<String> {
    rules(policy).iter().map(|rule| format!("{:?}: {rule}", rule.chain)).collect()
}

#[test]
fn the_rules_read_as_nft_writes_them() {
    let policy = Policy {
        kubelet_from: vec![("10.0.0.0".parse().expect("an address"), 8)],
        open: vec![(Protocol::Udp, 8472)],
        pods_reach_metadata: false,
    };
    assert_eq!(
        text(&policy),
        [
            "Input: ct state established,related accept",
            "Input: iifname \"lo\" accept",
            "Input: meta l4proto icmp accept",
            "Input: meta l4proto ipv6-icmp accept",
            "Input: udp sport 67 udp dport 68 accept",
            "Input: ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
            "Input: ct status dnat accept",
            "Input: ip saddr 10.0.0.0/8 tcp dport 10250 accept",
            "Input: tcp dport 30000-32767 accept",
            "Input: udp dport 30000-32767 accept",
            "Input: udp dport 8472 accept",
            "Forward: ip daddr 169.254.169.254 drop",
            "Forward: ip6 daddr fd00:ec2::254 drop",
            "Forward: ip daddr 168.63.129.16 tcp dport 80 drop",
            "Forward: ip daddr 168.63.129.16 tcp dport 32526 drop",
        ]
    );
    assert!(text(&Policy::default()).contains(&"Input: tcp dport 10250 accept".to_owned()));
    let open = Policy { pods_reach_metadata: true, ..Policy::default() };
    assert!(text(&open).iter().all(|line| line.starts_with("Input")));
}

proptest! {
    #[test]
    fn every_policy_is_one_transaction(networks in proptest::collection::vec((any::<IpAddr>(), 0u8..=32), 0..8), ports: Vec<u16>, first in 1u32..1 << 30) {
        let policy = Policy {
            kubelet_from: networks,
            open: ports.into_iter().map(|port| (Protocol::Tcp, port)).collect(),
            pods_reach_metadata: false,
        };
        let rules = rules(&policy);
        let (bytes, last) = transaction(&rules, 6, first);
        let numbers: Vec<u32> = Messages(&bytes).map(|message| message.sequence).collect();
        prop_assert_eq!(numbers.len(), rules.len() + 7);
        prop_assert!(numbers.iter().copied().eq(first..=last + 1));
    }
}
