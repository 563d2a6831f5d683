//! What an answer is worth: a server on the link is not trusted, so each value is held against what it may be.

use super::message::Reply;
use crate::address::is_host6;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// A lease that is shorter would keep the node asking without end.
const SHORTEST: u32 = 20;
/// Renewal sooner than this is the default in its place.
const SOONEST: u32 = 10;
const FOREVER: u32 = u32::MAX;
const DAY: u32 = 86_400;
/// `IRT_MINIMUM` (RFC 8415 §7.6): settings are not asked for more often.
const REFRESH: u32 = 600;

/// An address for a time, with what came along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The address; what is on its link is the router's to say.
    pub address: Ipv6Addr,
    /// The server's identifier.
    pub server: Vec<u8>,
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<Ipv6Addr>,
    /// When the server is asked again (all times since the machine's start).
    pub renew: Millis,
    /// When anybody is asked.
    pub rebind: Millis,
    /// Until when new connections may begin by the address. A program that did not write it down held it to the end.
    #[serde(default = "never")]
    pub preferred: Millis,
    /// When it ends.
    pub expire: Millis,
}

fn never() -> Millis {
    Millis(u64::MAX)
}

impl Lease {
    /// From an advertisement or a reply that came in at a time; an error says what is wrong with it.
    pub fn of(reply: &Reply, now: Millis) -> Result<Self, String> {
        if reply.status != 0 {
            return Err(format!("status {}", reply.status));
        }
        let given = reply.given.ok_or("it gives no address")?;
        if !is_host6(given.address) {
            return Err(format!("{} is no address of a host", given.address));
        }
        if given.seconds < SHORTEST {
            return Err(format!("a lease of {} s is shorter than {SHORTEST} s", given.seconds));
        }
        let seconds = if given.seconds == FOREVER { DAY } else { given.seconds };
        // A server that says more means the same: as long as the address holds.
        let preferred = given.preferred.min(seconds);
        // What RFC 8415 §21.4 recommends to servers, who may leave it to the client: parts of the time in which it is
        // preferred. Of none at all, or one that would have the node ask without end, that is no use.
        let whole = if preferred < SHORTEST { seconds } else { preferred };
        let t2 =
            Some(reply.t2).filter(|t2| (SOONEST..seconds).contains(t2)).unwrap_or((u64::from(whole) * 4 / 5) as u32);
        let t1 = Some(reply.t1).filter(|t1| (SOONEST..=t2).contains(t1)).unwrap_or(t2.min(whole / 2));
        let after = |seconds: u32| now + Millis::seconds(seconds.into());
        Ok(Lease {
            address: given.address,
            server: reply.server.clone(),
            dns: hosts(&reply.dns),
            search: reply.search.clone(),
            ntp: hosts(&reply.ntp),
            renew: after(t1),
            rebind: after(t2),
            preferred: after(preferred),
            expire: after(seconds),
        })
    }
}

/// What came without an address (RFC 8415 §18.2.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// Time servers.
    pub ntp: Vec<Ipv6Addr>,
    /// When they are asked for again; they hold until somebody answers. Ten minutes to a day, whatever the server says: the
    /// word of one that is none of the link's must not stand for ever.
    pub refresh: Millis,
}

impl Settings {
    /// From a reply that came in at a time; an error says what is wrong with it.
    pub fn of(reply: &Reply, now: Millis) -> Result<Self, String> {
        if reply.status != 0 {
            return Err(format!("status {}", reply.status));
        }
        let seconds = reply.refresh.unwrap_or(DAY).clamp(REFRESH, DAY);
        Ok(Settings {
            dns: hosts(&reply.dns),
            search: reply.search.clone(),
            ntp: hosts(&reply.ntp),
            refresh: now + Millis::seconds(seconds.into()),
        })
    }
}

fn hosts(list: &[Ipv6Addr]) -> Vec<Ipv6Addr> {
    list.iter().copied().filter(|one| is_host6(*one)).collect()
}
