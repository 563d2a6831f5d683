//! Addresses of links.

use super::OURS;
use super::message::{ACK, Builder, CREATE, DUMP, Message, REPLACE, number};
use std::net::IpAddr;

/// `RTM_NEWADDR`
pub const NEW: u16 = 20;
/// `RTM_DELADDR`
pub const DELETE: u16 = 21;
const GET: u16 = 22;
/// Length of `struct ifaddrmsg`.
const FIXED: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
/// `IFA_F_DADFAILED`: another host has it.
const DUPLICATE: u32 = 0x08;
/// `IFA_F_TENTATIVE`, `IFA_F_DADFAILED`: not yet, or not at all, an address of ours.
const NOT_YET: u32 = 0x40 | DUPLICATE;
/// `RT_SCOPE_LINK`
const SCOPE_LINK: u8 = 253;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Lifetime without an end.
pub const FOREVER: u32 = u32::MAX;

/// For how many seconds an address stays; [`FOREVER`]: without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// For how many of them new connections begin by it, though there is another one. The kernel takes no more than those
    /// that it stays for.
    pub preferred: u32,
    /// All of them.
    pub valid: u32,
}

impl Lifetime {
    /// Without an end.
    pub const ENDLESS: Lifetime = Lifetime { preferred: FOREVER, valid: FOREVER };
}

/// An address with its network's length, on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
}

/// An address as the kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The address.
    pub address: Address,
    /// This program made it.
    pub ours: bool,
    /// It can be used: not link-local, not under duplicate detection.
    pub usable: bool,
}

impl Told {
    /// From a message about an address.
    pub fn parse(message: &Message<'_>) -> Option<Self> {
        Self::read(message).map(|(told, _)| told)
    }

    /// The address of a message that says that another host of the link has it (RFC 4862 §5.4). Of one that is to end the
    /// kernel says so as it takes it away.
    pub fn duplicate(message: &Message<'_>) -> Option<Address> {
        Self::read(message).filter(|(_, flags)| flags & DUPLICATE != 0).map(|(told, _)| told.address)
    }

    /// With the flags of `IFA_F_*`.
    fn read(message: &Message<'_>) -> Option<(Self, u32)> {
        let (head, attributes) = message.split(FIXED)?;
        let mut flags = u32::from(head[2]);
        let (mut local, mut address, mut ours) = (None, None, false);
        for (kind, value) in attributes {
            match kind {
                IFA_LOCAL => local = ip(head[0], value),
                IFA_ADDRESS => address = ip(head[0], value),
                IFA_FLAGS => flags = number(value)?,
                IFA_PROTO => ours = value == [OURS],
                _ => {}
            }
        }
        let told = Told {
            address: Address { index: number(&head[4..])?, address: local.or(address)?, prefix: head[1] },
            ours,
            usable: head[3] < SCOPE_LINK && flags & NOT_YET == 0,
        };
        Some((told, flags))
    }
}

/// Asks for all addresses.
pub fn dump() -> Builder {
    Builder::new(GET, DUMP, &[0; FIXED])
}

/// Gives a link an address for some seconds, or changes how long it stays.
pub fn add(address: &Address, lifetime: Lifetime) -> Builder {
    // `struct ifa_cacheinfo`
    let mut cache = [0; 16];
    cache[..4].copy_from_slice(&lifetime.preferred.to_ne_bytes());
    cache[4..8].copy_from_slice(&lifetime.valid.to_ne_bytes());
    with(address, NEW, ACK | CREATE | REPLACE).put(IFA_CACHEINFO, &cache).put(IFA_PROTO, &[OURS])
}

/// Takes a link's address away.
pub fn remove(address: &Address) -> Builder {
    with(address, DELETE, ACK)
}

fn with(address: &Address, kind: u16, flags: u16) -> Builder {
    let bytes = octets(address.address);
    let mut head = [family(address.address), address.prefix, 0, 0, 0, 0, 0, 0];
    head[4..8].copy_from_slice(&address.index.to_ne_bytes());
    Builder::new(kind, flags, &head).put(IFA_LOCAL, &bytes).put(IFA_ADDRESS, &bytes)
}

/// An address of a family from its bytes.
pub fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        AF_INET6 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// `AF_INET` or `AF_INET6`.
pub fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// An address's bytes.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Messages;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    proptest! {
        #[test]
        fn an_address_that_is_set_reads_back_as_ours(address: IpAddr, index in 1u32.., prefix in 0u8..=32) {
            let address = Address { index, address, prefix };
            let bytes = add(&address, Lifetime { preferred: 30, valid: 60 }).finish(1);
            let message = Messages(&bytes).next().expect("a message");
            prop_assert_eq!(Told::parse(&message), Some(Told { address, ours: true, usable: true }));
            let (_, mut attributes) = message.split(FIXED).expect("a fixed part");
            let (_, cache) = attributes.find(|(kind, _)| *kind == IFA_CACHEINFO).expect("its lifetime");
            prop_assert_eq!((number(cache), number(&cache[4..])), (Some(30), Some(60)));
        }

        #[test]
        fn no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Told::parse(&Message { kind: NEW, sequence: 0, body: &body });
            let _ = Told::duplicate(&Message { kind: DELETE, sequence: 0, body: &body });
        }
    }

    /// As Linux 6.18 tells of an address with an end: first that it is looked for, then that it goes.
    #[test]
    fn an_address_that_another_host_has_is_told_from_one_that_goes() {
        let address = Address { index: 4, address: Ipv6Addr::LOCALHOST.into(), prefix: 128 };
        let of = |kind: u16, flags: u32| {
            let bytes = with(&address, kind, 0).put(IFA_FLAGS, &flags.to_ne_bytes()).finish(1);
            Messages(&bytes).next().and_then(|message| Told::duplicate(&message))
        };
        assert_eq!(of(DELETE, 0x48), Some(address));
        assert_eq!(of(NEW, 0xc8), Some(address), "one without an end stays");
        assert_eq!((of(NEW, 0x40), of(NEW, 0), of(DELETE, 0)), (None, None, None));
    }
}
