//! Network cards and other links.

use super::message::{ACK, Attributes, Builder, DUMP, Message, number, text};

/// `RTM_NEWLINK`
pub const NEW: u16 = 16;
/// `RTM_DELLINK`
pub const DELETE: u16 = 17;
const GET: u16 = 18;
const SET: u16 = 19;
/// Length of `struct ifinfomsg`.
const FIXED: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_MAX_MTU: u16 = 51;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INET6_FLAGS: u16 = 1;
const AF_INET6: u8 = 10;
/// `ARPHRD_ETHER`
const ETHERNET: u16 = 1;
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
/// `IFF_LOWER_UP`: the card has a carrier.
const IFF_LOWER_UP: u32 = 1 << 16;
/// `IF_RA_MANAGED`, `IF_RA_OTHERCONF`: what the last router advertisement said of DHCPv6.
const RA_MANAGED: u32 = 0x40;
const RA_OTHER: u32 = 0x80;

/// One link as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address, where it is one of Ethernet.
    pub mac: Option<[u8; 6]>,
    /// It is switched on.
    pub up: bool,
    /// It has a carrier.
    pub carrier: bool,
    /// The largest packet.
    pub mtu: u32,
    /// The largest packet that the card could do; 0 if it does not say.
    pub max_mtu: u32,
    /// What software makes it (`veth`, `bridge`, …); none: a card.
    pub kind: Option<String>,
    /// It belongs to a bridge or a bond.
    pub enslaved: bool,
    /// A router says that addresses come by DHCPv6.
    pub managed: bool,
    /// A router says that other settings come by DHCPv6.
    pub other: bool,
}

impl Link {
    /// From a message about a link of Ethernet; `None` for other links and for what cannot be read.
    pub fn parse(message: &Message<'_>) -> Option<Self> {
        let (head, attributes) = message.split(FIXED)?;
        let flags = number(&head[8..])?;
        // Messages of one family say less, and would make a card of a bridge's port.
        if head[0] != 0 || u16::from_ne_bytes([head[2], head[3]]) != ETHERNET || flags & IFF_LOOPBACK != 0 {
            return None;
        }
        let mut link = Link {
            index: number(&head[4..])?,
            up: flags & IFF_UP != 0,
            carrier: flags & IFF_LOWER_UP != 0,
            ..Link::default()
        };
        for (kind, value) in attributes {
            match kind {
                IFLA_ADDRESS => link.mac = value.try_into().ok(),
                IFLA_IFNAME => link.name = text(value),
                IFLA_MTU => link.mtu = number(value)?,
                IFLA_MAX_MTU => link.max_mtu = number(value)?,
                IFLA_MASTER => link.enslaved = number(value)? != 0,
                IFLA_LINKINFO => {
                    link.kind = Attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND).map(|(_, kind)| text(kind));
                }
                IFLA_AF_SPEC => {
                    let flags = inet6_flags(value);
                    link.managed = flags & RA_MANAGED != 0;
                    link.other = flags & RA_OTHER != 0;
                }
                _ => {}
            }
        }
        Some(link)
    }

    /// What a router said on a link, from a message of IPv6's own about it: that addresses come by DHCPv6, and that other
    /// settings do.
    pub fn router(message: &Message<'_>) -> Option<(u32, bool, bool)> {
        let (head, mut attributes) = message.split(FIXED)?;
        if head[0] != AF_INET6 {
            return None;
        }
        let (_, inet6) = attributes.find(|(kind, _)| *kind == IFLA_PROTINFO)?;
        let (_, flags) = Attributes(inet6).find(|(kind, _)| *kind == IFLA_INET6_FLAGS)?;
        let flags = number(flags)?;
        Some((number(&head[4..])?, flags & RA_MANAGED != 0, flags & RA_OTHER != 0))
    }

    /// The link's number in any message about a link.
    pub fn index(message: &Message<'_>) -> Option<u32> {
        number(message.body.get(4..)?)
    }
}

fn inet6_flags(value: &[u8]) -> u32 {
    let of = |wanted: u16, bytes| Attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    of(AF_INET6.into(), value).and_then(|inet6| of(IFLA_INET6_FLAGS, inet6)).and_then(number).unwrap_or(0)
}

/// Asks for all links.
pub fn dump() -> Builder {
    Builder::new(GET, DUMP, &[0; FIXED])
}

/// Switches a link on.
pub fn up(index: u32) -> Builder {
    Builder::new(SET, ACK, &head(index, IFF_UP))
}

/// Sets a link's MTU.
pub fn set_mtu(index: u32, mtu: u32) -> Builder {
    Builder::new(SET, ACK, &head(index, 0)).put(IFLA_MTU, &mtu.to_ne_bytes())
}

/// `struct ifinfomsg` that changes these flags.
fn head(index: u32, flags: u32) -> [u8; FIXED] {
    let mut head = [0; FIXED];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[8..12].copy_from_slice(&flags.to_ne_bytes());
    head[12..16].copy_from_slice(&flags.to_ne_bytes());
    head
}

/// A message as the kernel would send it.
#[cfg(test)]
pub fn sample(link: &Link) -> Vec<u8> {
    let mut flags = 0;
    flags |= if link.up { IFF_UP } else { 0 };
    flags |= if link.carrier { IFF_LOWER_UP } else { 0 };
    let mut fixed = head(link.index, flags);
    fixed[2..4].copy_from_slice(&ETHERNET.to_ne_bytes());
    let mut builder = Builder::new(NEW, 0, &fixed)
        .put(IFLA_IFNAME, format!("{}\0", link.name).as_bytes())
        .put(IFLA_MTU, &link.mtu.to_ne_bytes())
        .put(IFLA_MAX_MTU, &link.max_mtu.to_ne_bytes());
    if let Some(mac) = link.mac {
        builder = builder.put(IFLA_ADDRESS, &mac);
    }
    if link.enslaved {
        builder = builder.put(IFLA_MASTER, &3u32.to_ne_bytes());
    }
    if let Some(kind) = &link.kind {
        let mut info = Vec::new();
        super::message::attribute(&mut info, IFLA_INFO_KIND, format!("{kind}\0").as_bytes());
        builder = builder.nest(IFLA_LINKINFO, &info);
    }
    let flags = if link.managed { RA_MANAGED } else { 0 } | if link.other { RA_OTHER } else { 0 };
    let (mut inet6, mut spec) = (Vec::new(), Vec::new());
    use super::message::nested;
    super::message::attribute(&mut inet6, IFLA_INET6_FLAGS, &u32::to_ne_bytes(flags));
    nested(&mut spec, AF_INET6.into(), &inet6);
    builder.nest(IFLA_AF_SPEC, &spec).finish(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Messages;
    use proptest::prelude::*;

    #[test]
    fn a_link_is_read_with_all_it_has() {
        let link = Link {
            index: 4,
            name: "eth0".into(),
            mac: Some([2, 0, 0, 0, 0, 9]),
            up: true,
            carrier: true,
            mtu: 1500,
            max_mtu: 9000,
            kind: Some("veth".into()),
            enslaved: true,
            managed: true,
            other: false,
        };
        let bytes = sample(&link);
        assert_eq!(Messages(&bytes).next().and_then(|message| Link::parse(&message)), Some(link));
    }

    #[test]
    fn a_message_of_one_family_is_no_link() {
        let mut flags = Vec::new();
        crate::netlink::message::attribute(&mut flags, IFLA_INET6_FLAGS, &(RA_MANAGED | 0x10).to_ne_bytes());
        let mut fixed = head(4, IFF_UP);
        fixed[0] = AF_INET6;
        fixed[2..4].copy_from_slice(&ETHERNET.to_ne_bytes());
        let bytes = Builder::new(NEW, 0, &fixed).nest(IFLA_PROTINFO, &flags).finish(1);
        let message = Messages(&bytes).next().expect("a message");
        assert_eq!(Link::parse(&message), None);
        assert_eq!(Link::router(&message), Some((4, true, false)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Link::router(&Message { kind: NEW, sequence: 0, body: &body });
            let _ = Link::parse(&Message { kind: NEW, sequence: 0, body: &body });
        }
    }
}
