//! What router advertisements say of name servers (RFC 8106). The kernel takes addresses and routes from them itself, and
//! hands on the options that are not its own.

use crate::address::is_host6;
use crate::bytes::Reader;
use crate::name;
use crate::netlink::message::{Message, number};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// `RTM_NEWNDUSEROPT`
pub const NEW: u16 = 68;
/// Length of `struct nduseroptmsg`.
const FIXED: usize = 16;
const AF_INET6: u8 = 10;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SERVERS: u8 = 25;
const SEARCH: u8 = 31;
/// More of either than this are not kept: anybody on the segment can send these.
const MANY: usize = 8;

/// Name servers and domains, each with its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolvers {
    /// Name servers.
    pub servers: Vec<(Ipv6Addr, Millis)>,
    /// Domains to look names up in.
    pub search: Vec<(String, Millis)>,
}

/// One option as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Name servers for so many seconds.
    Servers(Vec<Ipv6Addr>, u32),
    /// Domains for so many seconds.
    Search(Vec<String>, u32),
}

/// The options of a message, and the link that they came in by.
pub fn parse(message: &Message<'_>) -> Option<(u32, Vec<Told>)> {
    let (head, _) = message.split(FIXED)?;
    let length = usize::from(u16::from_ne_bytes([head[2], head[3]]));
    if message.kind != NEW || head[0] != AF_INET6 || head[8] != ROUTER_ADVERTISEMENT {
        return None;
    }
    let mut reader = Reader(message.body.get(FIXED..)?.get(..length)?);
    let mut told = Vec::new();
    while let Some([kind, units]) = reader.array() {
        let Some(value) = (usize::from(units) * 8).checked_sub(2).and_then(|length| reader.take(length)) else { break };
        told.extend(option(kind, value));
    }
    Some((number(&head[4..])?, told))
}

fn option(kind: u8, value: &[u8]) -> Option<Told> {
    let mut reader = Reader(value);
    reader.u16()?;
    let seconds = reader.u32()?;
    match kind {
        SERVERS => {
            let (addresses, _) = reader.0.as_chunks::<16>();
            let addresses = addresses.iter().take(MANY).map(|bytes| Ipv6Addr::from(*bytes));
            Some(Told::Servers(addresses.filter(|one| is_host6(*one)).collect(), seconds))
        }
        SEARCH => {
            let names = name::list(reader.0)?;
            Some(Told::Search(names.into_iter().take(MANY).collect(), seconds))
        }
        _ => None,
    }
}

impl Resolvers {
    /// Takes what came in; `true`: something is another than before.
    pub fn take(&mut self, told: Vec<Told>, now: Millis) -> bool {
        let before = self.clone();
        let end = |seconds: u32| now + Millis::seconds(seconds.into());
        for one in told {
            match one {
                Told::Servers(list, seconds) => {
                    list.into_iter().for_each(|one| put(&mut self.servers, one, end(seconds)))
                }
                Told::Search(list, seconds) => {
                    list.into_iter().for_each(|one| put(&mut self.search, one, end(seconds)))
                }
            }
        }
        self.end(now);
        *self != before
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.search.is_empty()
    }

    /// Forgets what has ended.
    pub fn end(&mut self, now: Millis) {
        self.servers.retain(|(_, end)| *end > now);
        self.search.retain(|(_, end)| *end > now);
    }

    /// When the next one ends.
    pub fn deadline(&self) -> Option<Millis> {
        self.servers.iter().map(|(_, end)| *end).chain(self.search.iter().map(|(_, end)| *end)).min()
    }
}

/// Known ones get another end; new ones come last while there is room.
fn put<T: PartialEq>(list: &mut Vec<(T, Millis)>, one: T, end: Millis) {
    match list.iter().position(|(known, _)| *known == one) {
        Some(at) => list[at].1 = end,
        None if list.len() < MANY => list.push((one, end)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(options: &[u8]) -> Vec<u8> {
        let mut body = vec![0; FIXED];
        body[0] = AF_INET6;
        body[2..4].copy_from_slice(&(options.len() as u16).to_ne_bytes());
        body[4..8].copy_from_slice(&3u32.to_ne_bytes());
        body[8] = ROUTER_ADVERTISEMENT;
        body.extend_from_slice(options);
        body
    }

    fn servers(last: u8, seconds: u32) -> Vec<u8> {
        let mut option = vec![SERVERS, 3, 0, 0];
        option.extend_from_slice(&seconds.to_be_bytes());
        option.extend_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).octets());
        option
    }

    fn take(resolvers: &mut Resolvers, options: &[u8], now: u64) -> bool {
        let body = body(options);
        let (index, told) = parse(&Message { kind: NEW, sequence: 0, body: &body }).expect("a message");
        assert_eq!(index, 3);
        resolvers.take(told, Millis::seconds(now))
    }

    #[test]
    fn servers_and_domains_come_and_end() {
        let mut resolvers = Resolvers::default();
        let domain = b"\x1f\x03\0\0\0\0\0\x3c\x03lab\x07example\0\0\0\0";
        assert!(take(&mut resolvers, &[servers(1, 60), domain.to_vec()].concat(), 100));
        assert_eq!(resolvers.search, [("lab.example".into(), Millis::seconds(160))]);
        assert!(!take(&mut resolvers, &servers(1, 60), 100));
        assert_eq!(resolvers.deadline(), Some(Millis::seconds(160)));
        assert!(take(&mut resolvers, &servers(1, 0), 120), "none left of it");
        assert!(resolvers.servers.is_empty());
    }

    #[test]
    fn hostile_advertisements_fill_nothing_and_name_nobody() {
        let mut resolvers = Resolvers::default();
        for last in 0..200 {
            take(&mut resolvers, &servers(last, u32::MAX), 100);
        }
        assert_eq!(resolvers.servers.len(), MANY);
        for address in [
            Ipv6Addr::LOCALHOST,
            Ipv6Addr::UNSPECIFIED,
            "ff02::1".parse().expect("one"),
            "fe80::1".parse().expect("one"),
        ] {
            let mut option = servers(1, 60);
            option[8..].copy_from_slice(&address.octets());
            let mut resolvers = Resolvers::default();
            assert!(!take(&mut resolvers, &option, 100), "{address}");
        }
        let mut resolvers = Resolvers::default();
        take(&mut resolvers, b"\x1f\x02\0\0\0\0\0\x3c\x03a\nb\0\0\0\0", 100);
        assert!(resolvers.search.is_empty());
        // An option of no length.
        take(&mut resolvers, &[SERVERS, 0, 0, 0, 0, 0, 0, 9], 100);
        assert_eq!(resolvers, Resolvers::default());
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(options in proptest::collection::vec(any::<u8>(), 0..200), raw in proptest::collection::vec(any::<u8>(), 0..100)) {
            let body = body(&options);
            let _ = parse(&Message { kind: NEW, sequence: 0, body: &body });
            let _ = parse(&Message { kind: NEW, sequence: 0, body: &raw });
        }
    }
}
