//! What an answer is worth: a server on the segment is not trusted, so each value is held against what it may be.

use super::message::{Reply, StaticRoute, mask};
use crate::address::is_host4;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A lease that is shorter would keep the node asking without end.
const SHORTEST: u32 = 20;
/// Renewal sooner than this is the default in its place.
const SOONEST: u32 = 10;
/// "For ever" of the protocol; it is asked again after a day all the same.
const FOREVER: u32 = u32::MAX;
const DAY: u32 = 86_400;
/// IPv6 needs links of 1280 (RFC 8200 §5): what is less is a way to cut the node off.
const LEAST_MTU: u16 = 1280;

/// An address for a time, with what came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Bits of its network.
    pub prefix: u8,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// The first router.
    pub router: Option<Ipv4Addr>,
    /// Further routes.
    pub routes: Vec<StaticRoute>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Time servers.
    pub ntp: Vec<Ipv4Addr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// The largest packet.
    pub mtu: Option<u16>,
    /// When the server is asked again (all times since the machine's start).
    pub renew: Millis,
    /// When anybody is asked.
    pub rebind: Millis,
    /// When it ends.
    pub expire: Millis,
}

impl Lease {
    /// From an offer or acknowledgement to a request that was sent at a time; an error says what is wrong with it.
    pub fn of(reply: &Reply, sent: Millis) -> Result<Self, String> {
        let server = reply.server.filter(|server| is_host4(*server)).ok_or("it names no server")?;
        let address = reply.address;
        if !is_host4(address) || address.is_link_local() {
            return Err(format!("{address} is no address of a host"));
        }
        let prefix = match reply.netmask {
            Some(netmask) => prefix(netmask).ok_or_else(|| format!("{netmask} is no netmask"))?,
            None => 24,
        };
        let seconds = reply.seconds.ok_or("it says no lease time")?;
        if seconds < SHORTEST {
            return Err(format!("a lease of {seconds} s is shorter than {SHORTEST} s"));
        }
        let seconds = if seconds == FOREVER { DAY } else { seconds };
        let t2 = reply.t2.filter(|t2| (SOONEST..seconds).contains(t2)).unwrap_or((u64::from(seconds) * 7 / 8) as u32);
        let t1 = reply.t1.filter(|t1| (SOONEST..=t2).contains(t1)).unwrap_or(t2.min(seconds / 2));
        let after = |seconds: u32| sent + Millis::seconds(seconds.into());
        let host = |address: &Ipv4Addr| is_host4(*address);
        let (router, routes) = split(reply, address, prefix);
        Ok(Lease {
            address,
            prefix,
            server,
            router,
            routes,
            dns: reply.dns.iter().copied().filter(host).collect(),
            ntp: reply.ntp.iter().copied().filter(host).collect(),
            search: reply.search.clone(),
            mtu: reply.mtu.filter(|mtu| *mtu >= LEAST_MTU),
            renew: after(t1),
            rebind: after(t2),
            expire: after(seconds),
        })
    }
}

/// The default router and the other routes: of option 121 where there is one, else of option 3.
fn split(reply: &Reply, address: Ipv4Addr, prefix: u8) -> (Option<Ipv4Addr>, Vec<StaticRoute>) {
    // The kernel takes no route by it (`EINVAL`). Networks of two addresses and of one have none (RFC 3021).
    let broadcast = Ipv4Addr::from(u32::from(address) | !mask(prefix));
    let usable =
        |gateway: &Ipv4Addr| is_host4(*gateway) && *gateway != address && (prefix > 30 || *gateway != broadcast);
    if reply.routes.is_empty() {
        return (reply.routers.iter().copied().find(usable), Vec::new());
    }
    let router = reply.routes.iter().filter(|route| route.prefix == 0).map(|route| route.gateway).find(usable);
    // Two halves of the world are a default route by another name, and go past "one default route"; loopback and
    // multicast lead nowhere.
    let sound = |route: &&StaticRoute| {
        route.prefix >= 2
            && !route.destination.is_loopback()
            && !route.destination.is_multicast()
            && (route.gateway.is_unspecified() || usable(&route.gateway))
    };
    (router, reply.routes.iter().filter(sound).copied().collect())
}

/// The bits of a mask that is one; a network of more than half the world is none.
fn prefix(netmask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(netmask).count_ones() as u8;
    (bits >= 2 && mask(bits) == u32::from(netmask)).then_some(bits)
}
