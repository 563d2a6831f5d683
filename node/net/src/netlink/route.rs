//! Routes of the main table.

use super::OURS;
use super::address::{family, ip, octets};
use super::message::{ACK, Builder, CREATE, DUMP, EXCLUSIVE, Message, number};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `RTM_NEWROUTE`
pub const NEW: u16 = 24;
/// `RTM_DELROUTE`
pub const DELETE: u16 = 25;
const GET: u16 = 26;
/// Length of `struct rtmsg`.
const FIXED: usize = 12;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
/// `RT_TABLE_MAIN`
const MAIN: u8 = 254;
/// `RTN_UNICAST`
const UNICAST: u8 = 1;
/// `RT_SCOPE_LINK`
const SCOPE_LINK: u8 = 253;
/// `RTNH_F_ONLINK`: the gateway is on the link, whatever the addresses say (networks of /32 have it so).
const ON_LINK: u32 = 4;
const AF_INET6: u8 = 10;

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The link it leaves by.
    pub index: u32,
    /// Where it leads.
    pub destination: IpAddr,
    /// Bits of the destination.
    pub prefix: u8,
    /// Through whom; none: everybody there is on the link.
    pub gateway: Option<IpAddr>,
    /// The address that speaks.
    pub source: Option<IpAddr>,
    /// Where several lead to the same place, the lowest is taken.
    pub metric: u32,
}

impl Route {
    /// It leads everywhere.
    pub fn is_default(&self) -> bool {
        self.prefix == 0
    }

    /// From a message about a route of the main table; with it, whether this program made it.
    pub fn parse(message: &Message<'_>) -> Option<(Self, bool)> {
        let (head, attributes) = message.split(FIXED)?;
        if head[4] != MAIN || head[7] != UNICAST {
            return None;
        }
        let any: IpAddr = if head[0] == AF_INET6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let mut route = Route { index: 0, destination: any, prefix: head[1], gateway: None, source: None, metric: 0 };
        for (kind, value) in attributes {
            match kind {
                RTA_DST => route.destination = ip(head[0], value)?,
                RTA_OIF => route.index = number(value)?,
                RTA_GATEWAY => route.gateway = ip(head[0], value),
                RTA_PREFSRC => route.source = ip(head[0], value),
                RTA_PRIORITY => route.metric = number(value)?,
                _ => {}
            }
        }
        (route.index != 0).then_some((route, head[5] == OURS))
    }
}

/// Asks for all routes.
pub fn dump() -> Builder {
    Builder::new(GET, DUMP, &[0; FIXED])
}

/// Adds a route.
pub fn add(route: &Route) -> Builder {
    with(route, NEW, ACK | CREATE | EXCLUSIVE)
}

/// Takes a route away.
pub fn remove(route: &Route) -> Builder {
    with(route, DELETE, ACK)
}

fn with(route: &Route, kind: u16, flags: u16) -> Builder {
    let scope = if route.gateway.is_none() && route.destination.is_ipv4() { SCOPE_LINK } else { 0 };
    let mut head = [family(route.destination), route.prefix, 0, 0, MAIN, OURS, scope, UNICAST, 0, 0, 0, 0];
    if route.gateway.is_some() {
        head[8..12].copy_from_slice(&ON_LINK.to_ne_bytes());
    }
    let mut builder = Builder::new(kind, flags, &head).put(RTA_OIF, &route.index.to_ne_bytes());
    if route.prefix > 0 {
        builder = builder.put(RTA_DST, &octets(route.destination));
    }
    if let Some(gateway) = route.gateway {
        builder = builder.put(RTA_GATEWAY, &octets(gateway));
    }
    if let Some(source) = route.source {
        builder = builder.put(RTA_PREFSRC, &octets(source));
    }
    if route.metric > 0 {
        builder = builder.put(RTA_PRIORITY, &route.metric.to_ne_bytes());
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::Messages;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_route_that_is_set_reads_back_as_ours(to: Ipv4Addr, prefix in 1u8..=32, gateway: Option<Ipv4Addr>, metric: u32) {
            let route = Route {
                index: 3,
                destination: to.into(),
                prefix,
                gateway: gateway.map(IpAddr::from),
                source: None,
                metric,
            };
            let bytes = add(&route).finish(1);
            prop_assert_eq!(Messages(&bytes).next().and_then(|message| Route::parse(&message)), Some((route, true)));
        }

        #[test]
        fn no_bytes_are_a_panic(body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Route::parse(&Message { kind: NEW, sequence: 0, body: &body });
        }
    }

    #[test]
    fn a_default_route_of_either_family_reads_back() {
        for any in [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()] {
            let route = Route { index: 2, destination: any, prefix: 0, gateway: Some(any), source: None, metric: 100 };
            let bytes = add(&route).finish(1);
            assert_eq!(Messages(&bytes).next().and_then(|message| Route::parse(&message)), Some((route, true)));
        }
    }
}
