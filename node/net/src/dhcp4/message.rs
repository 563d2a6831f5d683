//! Packets.

use crate::bytes::Reader;
use crate::name;
use std::net::Ipv4Addr;

/// Where servers listen.
pub const SERVER_PORT: u16 = 67;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 68;
/// The largest packet that is read: one of Ethernet.
pub const MAXIMUM: usize = 1500;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Bytes before the options.
const FIXED: usize = 240;
/// What BOOTP relays expect at least.
const MINIMUM: usize = 300;
/// Answers are broadcast: the card has no address that one could be sent to yet.
const BROADCAST: u16 = 0x8000;
const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
/// More name servers, time servers, routes or domains than this are left out.
const MANY: usize = 32;

const PAD: u8 = 0;
const NETMASK: u8 = 1;
const ROUTER: u8 = 3;
const DNS: u8 = 6;
const HOST_NAME: u8 = 12;
const DOMAIN: u8 = 15;
const MTU: u8 = 26;
const NTP: u8 = 42;
const REQUESTED: u8 = 50;
const LEASE_TIME: u8 = 51;
const OVERLOAD: u8 = 52;
const KIND: u8 = 53;
const SERVER: u8 = 54;
const WANTED: u8 = 55;
const MAXIMUM_SIZE: u8 = 57;
const T1: u8 = 58;
const T2: u8 = 59;
const CLIENT: u8 = 61;
const SEARCH: u8 = 119;
const ROUTES: u8 = 121;
const END: u8 = 255;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Who is there?
    Discover = 1,
    /// An address could be had.
    Offer = 2,
    /// Please.
    Request = 3,
    /// Yours.
    Ack = 5,
    /// No.
    Nak = 6,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Discover, Self::Offer, Self::Request, Self::Ack, Self::Nak].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A route of option 121.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StaticRoute {
    /// Where it leads.
    pub destination: Ipv4Addr,
    /// Bits of the destination.
    pub prefix: u8,
    /// Through whom; 0.0.0.0: everybody there is on the link.
    pub gateway: Ipv4Addr,
}

/// A packet of a server, as far as it is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it is for.
    pub kind: Kind,
    /// The transaction that it answers.
    pub xid: u32,
    /// The card that it is for.
    pub mac: [u8; 6],
    /// The address given.
    pub address: Ipv4Addr,
    /// Who answers.
    pub server: Option<Ipv4Addr>,
    /// The network's mask.
    pub netmask: Option<Ipv4Addr>,
    /// Routers, the best first.
    pub routers: Vec<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Time servers.
    pub ntp: Vec<Ipv4Addr>,
    /// The domain, then those to look names up in.
    pub search: Vec<String>,
    /// The largest packet.
    pub mtu: Option<u16>,
    /// Routes; where there are any, the routers count for nothing (RFC 3442).
    pub routes: Vec<StaticRoute>,
    /// For how many seconds.
    pub seconds: Option<u32>,
    /// When to ask the server again.
    pub t1: Option<u32>,
    /// When to ask anybody.
    pub t2: Option<u32>,
}

impl Reply {
    /// Reads a packet. An option that is cut or not of its form is left out; a packet that is no reply is `None`.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let mut reader = Reader(packet);
        let head = reader.take(FIXED)?;
        // A reply, to Ethernet, of a hardware address of six bytes.
        if head[..3] != [BOOT_REPLY, 1, 6] || head[FIXED - 4..] != MAGIC {
            return None;
        }
        let mut options = Options::default();
        options.add(reader.0);
        // The fields for a server's name and a file may hold more options.
        let overload = options.get(OVERLOAD).and_then(|value| value.first().copied()).unwrap_or(0);
        if overload & 1 != 0 {
            options.add(&head[108..236]);
        }
        if overload & 2 != 0 {
            options.add(&head[44..108]);
        }
        let number = |kind| options.get(kind).and_then(|value| Some(u32::from_be_bytes(value.try_into().ok()?)));
        let address = |kind| options.get(kind).and_then(|value| <[u8; 4]>::try_from(value).ok()).map(Ipv4Addr::from);
        let mut search: Vec<String> = options
            .get(DOMAIN)
            .and_then(|value| name::from_text(&String::from_utf8_lossy(value)))
            .into_iter()
            .collect();
        for domain in options.get(SEARCH).and_then(name::list).unwrap_or_default() {
            if !search.contains(&domain) {
                search.push(domain);
            }
        }
        search.truncate(MANY);
        Some(Reply {
            kind: Kind::of(*options.get(KIND)?.first()?)?,
            xid: u32::from_be_bytes(head[4..8].try_into().ok()?),
            mac: head[28..34].try_into().ok()?,
            address: <[u8; 4]>::try_from(&head[16..20]).ok()?.into(),
            server: address(SERVER),
            netmask: address(NETMASK),
            routers: options.addresses(ROUTER),
            dns: options.addresses(DNS),
            ntp: options.addresses(NTP),
            search,
            mtu: options.get(MTU).and_then(|value| Some(u16::from_be_bytes(value.try_into().ok()?))),
            routes: options.get(ROUTES).and_then(routes).unwrap_or_default(),
            seconds: number(LEASE_TIME),
            t1: number(T1),
            t2: number(T2),
        })
    }
}

/// Options by number; several of one number are one (RFC 3396).
#[derive(Default)]
struct Options(Vec<(u8, Vec<u8>)>);

impl Options {
    fn add(&mut self, bytes: &[u8]) {
        let mut reader = Reader(bytes);
        while let Some(kind) = reader.u8().filter(|kind| *kind != END) {
            if kind == PAD {
                continue;
            }
            let Some(value) = reader.behind_u8() else { return };
            match self.0.iter_mut().find(|(one, _)| *one == kind) {
                Some((_, known)) => known.extend_from_slice(value),
                None => self.0.push((kind, value.to_vec())),
            }
        }
    }

    fn get(&self, kind: u8) -> Option<&[u8]> {
        self.0.iter().find(|(one, _)| *one == kind).map(|(_, value)| value.as_slice())
    }

    fn addresses(&self, kind: u8) -> Vec<Ipv4Addr> {
        let (list, _) = self.get(kind).unwrap_or_default().as_chunks::<4>();
        list.iter().take(MANY).map(|bytes| Ipv4Addr::from(*bytes)).collect()
    }
}

/// Option 121: bits, as many bytes of the destination as they need, gateway. All or nothing.
fn routes(value: &[u8]) -> Option<Vec<StaticRoute>> {
    let mut reader = Reader(value);
    let mut routes = Vec::new();
    while !reader.is_empty() && routes.len() < MANY {
        let prefix = reader.u8().filter(|prefix| *prefix <= 32)?;
        let significant = reader.take(usize::from(prefix).div_ceil(8))?;
        let mut destination = [0; 4];
        destination[..significant.len()].copy_from_slice(significant);
        let destination = u32::from_be_bytes(destination) & mask(prefix);
        routes.push(StaticRoute { destination: destination.into(), prefix, gateway: reader.array::<4>()?.into() });
    }
    Some(routes)
}

/// The mask of so many bits.
pub fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

/// A packet of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What it is for.
    pub kind: Kind,
    /// The transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub seconds: u16,
    /// The card that speaks.
    pub mac: [u8; 6],
    /// The address it has.
    pub current: Ipv4Addr,
    /// The address it wants.
    pub requested: Option<Ipv4Addr>,
    /// The server that is meant.
    pub server: Option<Ipv4Addr>,
    /// The node's name.
    pub host_name: Option<String>,
}

impl Query {
    /// The packet's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut packet = vec![0; FIXED];
        packet[..3].copy_from_slice(&[BOOT_REQUEST, 1, 6]);
        packet[4..8].copy_from_slice(&self.xid.to_be_bytes());
        packet[8..10].copy_from_slice(&self.seconds.to_be_bytes());
        packet[10..12].copy_from_slice(&BROADCAST.to_be_bytes());
        packet[12..16].copy_from_slice(&self.current.octets());
        packet[28..34].copy_from_slice(&self.mac);
        packet[FIXED - 4..].copy_from_slice(&MAGIC);
        let mut put = |kind: u8, value: &[u8]| {
            packet.extend_from_slice(&[kind, value.len() as u8]);
            packet.extend_from_slice(value);
        };
        put(KIND, &[self.kind as u8]);
        put(CLIENT, &[&[1][..], &self.mac].concat());
        if let Some(address) = self.requested {
            put(REQUESTED, &address.octets());
        }
        if let Some(address) = self.server {
            put(SERVER, &address.octets());
        }
        if let Some(name) = self.host_name.as_deref().filter(|name| name.len() <= 63) {
            put(HOST_NAME, name.as_bytes());
        }
        put(MAXIMUM_SIZE, &(MAXIMUM as u16 - 28).to_be_bytes());
        put(WANTED, &[ROUTES, NETMASK, ROUTER, DNS, DOMAIN, MTU, NTP, LEASE_TIME, T1, T2, SEARCH]);
        packet.push(END);
        packet.resize(packet.len().max(MINIMUM), PAD);
        packet
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
