//! What is to change so that the kernel has what it should have. Of what is there, only what this program made is ever
//! taken away.

use super::desired::{Desired, Until};
use crate::netlink::address::{Lifetime, Told};
use crate::netlink::message::Builder;
use crate::netlink::{Address, Route, address, link, route};
use crate::time::Millis;
use std::collections::BTreeMap;
use std::fmt;

/// What the kernel has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// Addresses.
    pub addresses: Vec<Told>,
    /// Routes of the main table, and whether this program made them: those that it made, and who else has a default route.
    pub routes: Vec<(Route, bool)>,
    /// Largest packets by link.
    pub mtus: BTreeMap<u32, u32>,
}

impl Kernel {
    /// Takes up a route if it is of use. Anybody on the segment can have the kernel make any number of routes: of those
    /// that this program did not make, one default route of each family is enough.
    pub fn take_up(&mut self, route: Route, ours: bool) {
        let is_known = |(known, ours): &(Route, bool)| !ours && known.destination == route.destination;
        if ours || (route.is_default() && !self.routes.iter().any(is_known)) {
            self.routes.push((route, ours));
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A link gets a largest packet.
    Mtu(u32, u32),
    /// A link gets an address for some seconds.
    Address(Address, Lifetime),
    /// A link loses an address.
    NoAddress(Address),
    /// A route is made.
    Route(Route),
    /// A route is taken away.
    NoRoute(Route),
}

impl Change {
    /// The request to the kernel.
    pub fn request(&self) -> Builder {
        match self {
            Change::Mtu(index, mtu) => link::set_mtu(*index, *mtu),
            Change::Address(address, lifetime) => address::add(address, *lifetime),
            Change::NoAddress(address) => address::remove(address),
            Change::Route(route) => route::add(route),
            Change::NoRoute(route) => route::remove(route),
        }
    }

    /// The link that it is about.
    pub fn index(&self) -> u32 {
        match self {
            Change::Mtu(index, _) => *index,
            Change::Address(address, _) | Change::NoAddress(address) => address.index,
            Change::Route(route) | Change::NoRoute(route) => route.index,
        }
    }

    /// It takes something away that may be gone already.
    pub fn removes(&self) -> bool {
        matches!(self, Change::NoAddress(_) | Change::NoRoute(_))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = |out: &mut fmt::Formatter<'_>, route: &Route| {
            write!(out, "route to {}/{}", route.destination, route.prefix)?;
            route.gateway.map_or(Ok(()), |gateway| write!(out, " by {gateway}"))
        };
        match self {
            Change::Mtu(_, mtu) => write!(out, "MTU {mtu}"),
            Change::Address(address, _) => write!(out, "address {}/{}", address.address, address.prefix),
            Change::NoAddress(address) => write!(out, "no address {}/{}", address.address, address.prefix),
            Change::Route(one) => route(out, one),
            Change::NoRoute(one) => {
                write!(out, "no ")?;
                route(out, one)
            }
        }
    }
}

/// The changes, in the order in which the kernel takes them. `applied`: until when the addresses were given.
pub fn changes(
    desired: &Desired,
    kernel: &Kernel,
    applied: &BTreeMap<Address, Option<Until>>,
    now: Millis,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, mtu) in &desired.mtus {
        if kernel.mtus.get(index).is_some_and(|has| has != mtu) {
            changes.push(Change::Mtu(*index, *mtu));
        }
    }
    let ours = || kernel.routes.iter().filter(|(_, ours)| *ours).map(|(route, _)| route);
    changes.extend(ours().filter(|route| !desired.routes.contains(route)).copied().map(Change::NoRoute));
    for told in kernel.addresses.iter().filter(|told| told.ours) {
        if !desired.addresses.contains_key(&told.address) {
            changes.push(Change::NoAddress(told.address));
        }
    }
    for (address, until) in &desired.addresses {
        let there = kernel.addresses.iter().any(|told| told.address == *address);
        if !there || applied.get(address) != Some(until) {
            let lifetime = until.map_or(Lifetime::ENDLESS, |until| until.left(now));
            changes.push(Change::Address(*address, lifetime));
        }
    }
    // An address that goes takes its routes along; one that comes may be what a route needs: routes come last, those to a
    // gateway behind those to a link.
    let mut routes: Vec<&Route> = desired.routes.iter().filter(|route| !ours().any(|there| there == *route)).collect();
    routes.sort_by_key(|route| (route.gateway.is_some(), route.is_default()));
    changes.extend(routes.into_iter().copied().map(Change::Route));
    changes
}
