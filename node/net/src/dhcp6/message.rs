//! Packets.

use crate::bytes::Reader;
use crate::name;
use std::net::Ipv6Addr;

/// Where servers listen. From which port they send is theirs to choose (RFC 8415 §7.2).
pub const SERVER_PORT: u16 = 547;
/// Where clients listen.
pub const CLIENT_PORT: u16 = 546;
/// All servers and relays of a link.
pub const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// The largest packet that is read: one of Ethernet.
pub const MAXIMUM: usize = 1500;
/// Longest identifier of a server (RFC 8415 §11.1).
const LONGEST_ID: usize = 130;
const MANY: usize = 8;

const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_ADDRESS: u16 = 5;
const WANTED: u16 = 6;
const ELAPSED: u16 = 8;
const STATUS: u16 = 13;
const DNS: u16 = 23;
const SEARCH: u16 = 24;
/// For how long what came without an address holds (RFC 8415 §21.23).
const REFRESH: u16 = 32;
const NTP: u16 = 56;
const NTP_ADDRESS: u16 = 1;

/// The server knows of no lease (RFC 8415 §21.13).
pub const NO_BINDING: u16 = 3;
/// The address is none of this link.
pub const NOT_ON_LINK: u16 = 4;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Who is there?
    Solicit = 1,
    /// An address could be had.
    Advertise = 2,
    /// Please.
    Request = 3,
    /// Is the address still one of this link?
    Confirm = 4,
    /// More time, of the same server.
    Renew = 5,
    /// More time, of anybody.
    Rebind = 6,
    /// Yours.
    Reply = 7,
    /// Another host has it.
    Decline = 9,
    /// No address, but name servers and the like.
    Information = 11,
}

/// An address in a packet, with the seconds that it may be preferred and used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The address.
    pub address: Ipv6Addr,
    /// For how many seconds new connections may begin by it; 0: by none, if there is another.
    pub preferred: u32,
    /// For how many seconds it may be used; 0: it is withdrawn.
    pub seconds: u32,
}

/// A packet of a server, as far as it is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// An advertisement or a reply.
    pub kind: Kind,
    /// The transaction.
    pub xid: u32,
    /// The server's identifier.
    pub server: Vec<u8>,
    /// The first address that is preferred; the first one that may be used, if none is.
    pub given: Option<Given>,
    /// Addresses that may not be used any more.
    pub withdrawn: Vec<Ipv6Addr>,
    /// What is wrong, by the server's word: a number of RFC 8415 §21.13; 0: nothing.
    pub status: u16,
    /// When to ask the server again; 0: as the client likes.
    pub t1: u32,
    /// When to ask anybody.
    pub t2: u32,
    /// When to ask again for what came without an address.
    pub refresh: Option<u32>,
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<Ipv6Addr>,
}

impl Reply {
    /// Reads a packet that is for the card of a hardware address.
    pub fn parse(packet: &[u8], mac: [u8; 6]) -> Option<Self> {
        let mut reader = Reader(packet);
        let [kind, x, y, z] = reader.array()?;
        let kind = [Kind::Advertise, Kind::Reply].into_iter().find(|one| *one as u8 == kind)?;
        let options = options(reader.0);
        let get = |kind: u16| options.iter().find(|(one, _)| *one == kind).map(|(_, value)| *value);
        if get(CLIENT_ID)? != client_id(mac) {
            return None;
        }
        let server = get(SERVER_ID).filter(|id| (1..=LONGEST_ID).contains(&id.len()))?.to_vec();
        let mut reply = Reply {
            kind,
            xid: u32::from_be_bytes([0, x, y, z]),
            server,
            given: None,
            withdrawn: Vec::new(),
            status: get(STATUS).and_then(status).unwrap_or(0),
            t1: 0,
            t2: 0,
            refresh: get(REFRESH).and_then(|value| Reader(value).u32()),
            dns: addresses(get(DNS).unwrap_or_default()),
            search: get(SEARCH).and_then(name::list).unwrap_or_default(),
            ntp: Vec::new(),
        };
        reply.search.truncate(MANY);
        for (kind, value) in self::options(get(NTP).unwrap_or_default()) {
            if kind == NTP_ADDRESS {
                reply.ntp.extend(addresses(value));
            }
        }
        reply.ntp.truncate(MANY);
        if let Some(value) = get(IA_NA) {
            reply.association(value);
        }
        Some(reply)
    }

    /// A server that changes an address sends the old one with 0 seconds, or with none in which it is preferred, before or
    /// behind the new one.
    fn address(&mut self, given: Given) {
        match given.seconds {
            0 if self.withdrawn.len() < MANY => self.withdrawn.push(given.address),
            0 => {}
            _ if self.given.is_none_or(|known| known.preferred == 0 && given.preferred > 0) => self.given = Some(given),
            _ => {}
        }
    }

    fn association(&mut self, value: &[u8]) {
        let mut reader = Reader(value);
        let (Some(IAID), Some(t1), Some(t2)) = (reader.u32(), reader.u32(), reader.u32()) else { return };
        (self.t1, self.t2) = (t1, t2);
        for (kind, value) in options(reader.0) {
            match kind {
                STATUS => self.status = status(value).unwrap_or(self.status),
                IA_ADDRESS => {
                    let mut reader = Reader(value);
                    if let (Some(address), Some(preferred), Some(seconds)) =
                        (reader.array::<16>(), reader.u32(), reader.u32())
                    {
                        self.address(Given { address: address.into(), preferred, seconds });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Options with their numbers; stops at what is cut.
fn options(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut reader = Reader(bytes);
    let mut options = Vec::new();
    while let Some(option) = reader.u16().and_then(|kind| Some((kind, reader.behind_u16()?))) {
        options.push(option);
    }
    options
}

fn status(value: &[u8]) -> Option<u16> {
    Reader(value).u16()
}

fn addresses(value: &[u8]) -> Vec<Ipv6Addr> {
    let (list, _) = value.as_chunks::<16>();
    list.iter().take(MANY).map(|bytes| Ipv6Addr::from(*bytes)).collect()
}

/// A card's one association of addresses.
const IAID: u32 = 1;

/// `DUID-LL` (RFC 8415 §11.4): the same at every boot.
fn client_id(mac: [u8; 6]) -> Vec<u8> {
    [&[0, 3, 0, 1][..], &mac].concat()
}

/// A packet of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What it is for.
    pub kind: Kind,
    /// The transaction; 24 bits.
    pub xid: u32,
    /// Hundredths of a second since the client began.
    pub elapsed: u16,
    /// The card.
    pub mac: [u8; 6],
    /// The server that is meant.
    pub server: Option<Vec<u8>>,
    /// The address that it has, or that it was offered.
    pub address: Option<Ipv6Addr>,
}

impl Query {
    /// The packet's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut packet = self.xid.to_be_bytes().to_vec();
        packet[0] = self.kind as u8;
        let put = |packet: &mut Vec<u8>, kind: u16, value: &[u8]| {
            packet.extend_from_slice(&kind.to_be_bytes());
            packet.extend_from_slice(&(value.len() as u16).to_be_bytes());
            packet.extend_from_slice(value);
        };
        put(&mut packet, CLIENT_ID, &client_id(self.mac));
        if let Some(server) = &self.server {
            put(&mut packet, SERVER_ID, server);
        }
        put(&mut packet, ELAPSED, &self.elapsed.to_be_bytes());
        // Which options belong into which packet: RFC 8415, appendix B.
        let wanted: &[u16] = match self.kind {
            Kind::Confirm | Kind::Decline => &[],
            Kind::Information => &[DNS, SEARCH, NTP, REFRESH],
            _ => &[DNS, SEARCH, NTP],
        };
        if !wanted.is_empty() {
            let wanted: Vec<u8> = wanted.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            put(&mut packet, WANTED, &wanted);
        }
        if self.kind == Kind::Information {
            return packet;
        }
        let mut association = [IAID, 0, 0].iter().flat_map(|number| number.to_be_bytes()).collect();
        if let Some(address) = self.address {
            put(&mut association, IA_ADDRESS, &[&address.octets()[..], &[0; 8]].concat());
        }
        put(&mut packet, IA_NA, &association);
        packet
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
