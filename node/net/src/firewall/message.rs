//! Rules as messages of netlink (`linux/netfilter/nf_tables.h`): each match loads something into a register and compares
//! it. Numbers of attributes are big endian; what is compared is as the kernel has it.

use crate::netlink::address::octets;
use crate::netlink::message::{ACK, APPEND, Builder, CREATE, attribute, nested};
use orlop_config::firewall::{Chain, Match, Ports, Rule, Verdict};
use std::net::IpAddr;

/// The table's name.
pub const TABLE: &str = "orlop";
/// `NFNL_SUBSYS_NFTABLES`, and the messages that begin and end a transaction.
const NFTABLES: u16 = 10;
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
const NEW_TABLE: u16 = NFTABLES << 8;
const DELETE_TABLE: u16 = NFTABLES << 8 | 2;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
/// `NFPROTO_INET`: both families.
const INET: u8 = 1;
const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
/// `NFT_REG_1`
const REGISTER: u32 = 1;
/// `NF_ACCEPT`, `NF_DROP`, `NFT_JUMP`
const ACCEPT: u32 = 1;
const DROP: u32 = 0;
const JUMP: u32 = -3i32 as u32;

/// Bytes of a transaction that makes the table anew, and the number of its last message, which asks for an answer.
pub fn transaction(rules: &[Rule], flags: u32, first: u32) -> (Vec<u8>, u32) {
    let table = |kind, create| {
        let builder = message(kind, create).put(1, &text(TABLE));
        if kind == NEW_TABLE { builder.put(2, &flags.to_be_bytes()) } else { builder }
    };
    // Made if it is not there, so that it can be taken away with all that is in it; then made.
    let mut messages = vec![
        Builder::new(BEGIN, 0, &[0, 0, 0, NFTABLES as u8]),
        table(NEW_TABLE, CREATE),
        table(DELETE_TABLE, 0),
        table(NEW_TABLE, CREATE),
    ];
    // Before the rules that jump into one of them.
    messages.extend(Chain::ALL.map(chain));
    let last = rules.len().saturating_sub(1);
    messages.extend(rules.iter().enumerate().map(|(at, one)| rule(one, if at == last { ACK } else { 0 })));
    let answered = first + messages.len() as u32 - 1;
    messages.push(Builder::new(END, 0, &[0, 0, 0, NFTABLES as u8]));
    let bytes = messages.into_iter().zip(first..).flat_map(|(message, number)| message.finish(number)).collect();
    (bytes, answered)
}

fn message(kind: u16, flags: u16) -> Builder {
    Builder::new(kind, flags, &[INET, 0, 0, 0])
}

fn chain(chain: Chain) -> Builder {
    let message = message(NEW_CHAIN, CREATE).put(1, &text(TABLE)).put(3, &text(chain.name()));
    // `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`
    let (hook, policy) = match chain {
        Chain::Input => (1u32, DROP),
        Chain::Forward => (2, ACCEPT),
        Chain::Cluster => return message,
    };
    let mut place = Vec::new();
    attribute(&mut place, 1, &hook.to_be_bytes());
    // `NF_IP_PRI_FILTER`
    attribute(&mut place, 2, &0u32.to_be_bytes());
    message.nest(4, &place).put(5, &policy.to_be_bytes()).put(7, &text("filter"))
}

fn rule(rule: &Rule, flags: u16) -> Builder {
    let mut list = Vec::new();
    for one in &rule.matches {
        encode(&mut list, one);
    }
    expression(&mut list, "counter", &[]);
    verdict(&mut list, rule.verdict);
    message(NEW_RULE, CREATE | APPEND | flags).put(1, &text(TABLE)).put(2, &text(rule.chain.name())).nest(4, &list)
}

fn encode(list: &mut Vec<u8>, one: &Match) {
    match one {
        // `NF_CT_STATE_BIT` of established and related.
        Match::Established => connection(list, 0, 2 | 4),
        // `NFT_CT_STATUS`, `IPS_DST_NAT`.
        Match::LedHere => connection(list, 2, 1 << 5),
        Match::Loopback => {
            let mut name = [0; 16];
            name[..2].copy_from_slice(b"lo");
            meta(list, 6);
            equal(list, &name);
        }
        Match::Icmp(protocol) => l4_protocol(list, *protocol),
        Match::From((address, bits)) => {
            network(list, address, if address.is_ipv4() { 12 } else { 8 });
            let mask: Vec<u8> = (0..octets(*address).len()).map(|at| mask_byte(*bits, at)).collect();
            let address: Vec<u8> = octets(*address).iter().zip(&mask).map(|(byte, mask)| byte & mask).collect();
            masked(list, &mask);
            equal(list, &address);
        }
        Match::To(address) => {
            network(list, address, if address.is_ipv4() { 16 } else { 24 });
            equal(list, &octets(*address));
        }
        Match::UdpFrom(port) => {
            l4_protocol(list, 17);
            payload(list, (2, 0, 2));
            equal(list, &port.to_be_bytes());
        }
        Match::Port(Ports { protocol, first, last }) => {
            l4_protocol(list, *protocol as u8);
            payload(list, (2, 2, 2));
            if first == last {
                equal(list, &first.to_be_bytes());
            } else {
                range(list, first.to_be_bytes(), last.to_be_bytes());
            }
        }
    }
}

/// The byte of a netmask at a place.
fn mask_byte(bits: u8, at: usize) -> u8 {
    let left = usize::from(bits).saturating_sub(8 * at).min(8);
    (0xff00u16 >> left) as u8
}

/// The family is that of an address, and the address at this place of the packet is loaded.
fn network(list: &mut Vec<u8>, address: &IpAddr, offset: u32) {
    meta(list, 15);
    equal(list, &[if address.is_ipv4() { NFPROTO_IPV4 } else { NFPROTO_IPV6 }]);
    payload(list, (1, offset, if address.is_ipv4() { 4 } else { 16 }));
}

/// `NFT_META_L4PROTO`
fn l4_protocol(list: &mut Vec<u8>, protocol: u8) {
    meta(list, 16);
    equal(list, &[protocol]);
}

/// One of these bits of what connection tracking knows is set.
fn connection(list: &mut Vec<u8>, key: u32, bits: u32) {
    numbers(list, "ct", &[(1, REGISTER), (2, key)]);
    masked(list, &bits.to_ne_bytes());
    compare(list, 1, &[0; 4]);
}

fn meta(list: &mut Vec<u8>, key: u32) {
    numbers(list, "meta", &[(1, REGISTER), (2, key)]);
}

/// Bytes of the packet: base (1: network header, 2: transport header), offset, length.
fn payload(list: &mut Vec<u8>, (base, offset, length): (u32, u32, u32)) {
    numbers(list, "payload", &[(1, REGISTER), (2, base), (3, offset), (4, length)]);
}

fn equal(list: &mut Vec<u8>, value: &[u8]) {
    compare(list, 0, value);
}

/// `NFT_CMP_EQ`: 0, `NFT_CMP_NEQ`: 1
fn compare(list: &mut Vec<u8>, operator: u32, value: &[u8]) {
    let mut inner = Vec::new();
    attribute(&mut inner, 1, &REGISTER.to_be_bytes());
    attribute(&mut inner, 2, &operator.to_be_bytes());
    data(&mut inner, 3, value);
    expression(list, "cmp", &inner);
}

fn range(list: &mut Vec<u8>, from: [u8; 2], to: [u8; 2]) {
    let mut inner = Vec::new();
    attribute(&mut inner, 1, &REGISTER.to_be_bytes());
    attribute(&mut inner, 2, &0u32.to_be_bytes());
    data(&mut inner, 3, &from);
    data(&mut inner, 4, &to);
    expression(list, "range", &inner);
}

fn masked(list: &mut Vec<u8>, mask: &[u8]) {
    let mut inner = Vec::new();
    for kind in [1, 2] {
        attribute(&mut inner, kind, &REGISTER.to_be_bytes());
    }
    attribute(&mut inner, 3, &(mask.len() as u32).to_be_bytes());
    data(&mut inner, 4, mask);
    data(&mut inner, 5, &vec![0; mask.len()]);
    expression(list, "bitwise", &inner);
}

fn verdict(list: &mut Vec<u8>, of: Verdict) {
    let (mut verdict, mut value, mut inner) = (Vec::new(), Vec::new(), Vec::new());
    let code = match of {
        Verdict::Accept => ACCEPT,
        Verdict::Drop => DROP,
        Verdict::Jump(_) => JUMP,
    };
    attribute(&mut verdict, 1, &code.to_be_bytes());
    if let Verdict::Jump(chain) = of {
        attribute(&mut verdict, 2, &text(chain.name()));
    }
    nested(&mut value, 2, &verdict);
    // `NFT_REG_VERDICT`
    attribute(&mut inner, 1, &0u32.to_be_bytes());
    nested(&mut inner, 2, &value);
    expression(list, "immediate", &inner);
}

/// `NFTA_DATA_VALUE` under an attribute.
fn data(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let mut inner = Vec::new();
    attribute(&mut inner, 1, value);
    nested(bytes, kind, &inner);
}

fn numbers(list: &mut Vec<u8>, name: &str, values: &[(u16, u32)]) {
    let mut inner = Vec::new();
    for (kind, value) in values {
        attribute(&mut inner, *kind, &value.to_be_bytes());
    }
    expression(list, name, &inner);
}

fn expression(list: &mut Vec<u8>, name: &str, inner: &[u8]) {
    let mut bytes = Vec::new();
    attribute(&mut bytes, 1, &text(name));
    nested(&mut bytes, 2, inner);
    nested(list, 1, &bytes);
}

fn text(name: &str) -> Vec<u8> {
    format!("{name}\0").into_bytes()
}
