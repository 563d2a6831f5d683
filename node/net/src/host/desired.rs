//! What should be there: addresses, routes and settings, from the plan and from what the network gave.

use super::nics::{Nic, Nics};
use super::reconcile::Kernel;
use crate::dhcp4::client::Client;
use crate::dhcp4::message::mask;
use crate::netlink::address::{FOREVER, Lifetime};
use crate::netlink::{Address, Route};
use crate::time::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of the routes that this program makes. The kernel's own, to the networks of the addresses, have none: CNI's and an
/// operator's come before these if they want to.
const METRIC: u32 = 100;

/// Until when an address is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// Until when new connections may begin by it, though there is another one.
    pub preferred: Millis,
    /// When it ends.
    pub end: Millis,
}

impl Until {
    /// What is left of it. A second at least: the kernel takes none that has ended.
    pub fn left(&self, now: Millis) -> Lifetime {
        let seconds = |end: Millis| (end - now).as_seconds().min(u64::from(FOREVER) - 1) as u32;
        let valid = seconds(self.end).max(1);
        let preferred = if self.preferred < self.end { seconds(self.preferred).min(valid) } else { valid };
        Lifetime { preferred, valid }
    }
}

/// What should be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Addresses, and until when; none: without an end.
    pub addresses: BTreeMap<Address, Option<Until>>,
    /// Routes.
    pub routes: BTreeSet<Route>,
    /// Largest packets by link.
    pub mtus: BTreeMap<u32, u32>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains to look names up in.
    pub search: Vec<String>,
    /// Time servers, names or addresses.
    pub ntp: Vec<String>,
    /// There should be a default route: the plan or the network names one.
    pub wants_default: bool,
}

impl Desired {
    /// From all cards.
    pub fn of(nics: &Nics) -> Self {
        let plan = nics.plan();
        let mut desired = Desired { wants_default: plan.has_default_route(), ..Desired::default() };
        let mut cards: Vec<&Nic> = nics.all().collect();
        cards.sort_by_key(|nic| (nic.order, nic.link.index));
        for nic in &cards {
            desired.add(nic);
        }
        desired.one_route_each(&cards);
        if !plan.dns.is_empty() {
            desired.dns.clone_from(&plan.dns);
        }
        if !plan.search.is_empty() {
            desired.search.clone_from(&plan.search);
        }
        if !plan.ntp.is_empty() {
            desired.ntp.clone_from(&plan.ntp);
        }
        desired
    }

    fn add(&mut self, nic: &Nic) {
        let index = nic.link.index;
        let mut mtu = nic.interface.mtu;
        for (address, prefix) in &nic.interface.addresses {
            self.addresses.insert(Address { index, address: *address, prefix: *prefix }, None);
        }
        for route in &nic.interface.routes {
            self.lead(Route {
                index,
                destination: route.destination,
                prefix: route.prefix,
                gateway: route.gateway,
                source: None,
                metric: METRIC,
            });
        }
        if let Some(lease) = nic.dhcp4.as_ref().and_then(Client::lease) {
            mtu = mtu.or(lease.mtu.map(u32::from));
            let address = Address { index, address: lease.address.into(), prefix: lease.prefix };
            self.addresses.insert(address, Some(Until { preferred: lease.expire, end: lease.expire }));
            let through = |destination: Ipv4Addr, prefix, gateway: Option<Ipv4Addr>| Route {
                index,
                destination: destination.into(),
                prefix,
                gateway: gateway.map(IpAddr::from),
                source: Some(lease.address.into()),
                metric: METRIC,
            };
            let network = u32::from(lease.address) & mask(lease.prefix);
            for route in &lease.routes {
                // The card's own network is the kernel's.
                if (u32::from(route.destination), route.prefix) != (network, lease.prefix) {
                    let gateway = Some(route.gateway).filter(|gateway| !gateway.is_unspecified());
                    self.lead(through(route.destination, route.prefix, gateway));
                }
            }
            if lease.router.is_some() && nic.interface.default_route {
                self.wants_default = true;
                self.lead(through(Ipv4Addr::UNSPECIFIED, 0, lease.router));
            }
            append(&mut self.dns, lease.dns.iter().copied().map(IpAddr::from));
            append(&mut self.search, lease.search.iter().cloned());
            append(&mut self.ntp, lease.ntp.iter().map(Ipv4Addr::to_string));
        }
        if let Some(lease) = nic.dhcp6.lease() {
            let address = Address { index, address: lease.address.into(), prefix: 128 };
            self.addresses.insert(address, Some(Until { preferred: lease.preferred, end: lease.expire }));
            append(&mut self.dns, lease.dns.iter().copied().map(IpAddr::from));
            append(&mut self.search, lease.search.iter().cloned());
            append(&mut self.ntp, lease.ntp.iter().map(Ipv6Addr::to_string));
        }
        if let Some(settings) = nic.dhcp6.settings() {
            append(&mut self.dns, settings.dns.iter().copied().map(IpAddr::from));
            append(&mut self.search, settings.search.iter().cloned());
            append(&mut self.ntp, settings.ntp.iter().map(Ipv6Addr::to_string));
        }
        append(&mut self.dns, nic.resolvers.servers.iter().map(|(server, _)| IpAddr::from(*server)));
        append(&mut self.search, nic.resolvers.search.iter().map(|(domain, _)| domain.clone()));
        // More than the card can do would be refused every time.
        let most = if nic.link.max_mtu == 0 { u32::MAX } else { nic.link.max_mtu };
        if let Some(mtu) = mtu.map(|mtu| mtu.min(most)) {
            self.mtus.insert(index, mtu);
        }
    }

    /// Of a card's routes to one destination the first holds: the document's, then the lease's in their order.
    fn lead(&mut self, route: Route) {
        let to = |route: &Route| (route.index, route.destination, route.prefix);
        if self.routes.iter().all(|known| to(known) != to(&route)) {
            self.routes.insert(route);
        }
    }

    /// Of several cards' routes to one destination one stays: that of the first card that has a carrier. The kernel takes
    /// no second one of the same metric (`EEXIST`).
    fn one_route_each(&mut self, cards: &[&Nic]) {
        let place = |route: &Route| {
            let at = cards.iter().position(|nic| nic.link.index == route.index);
            at.map(|at| (!cards[at].link.carrier, at))
        };
        let mut chosen: BTreeMap<(IpAddr, u8), Route> = BTreeMap::new();
        for route in &self.routes {
            let one = chosen.entry((route.destination, route.prefix)).or_insert(*route);
            if place(route) < place(one) {
                *one = *route;
            }
        }
        self.routes = chosen.into_values().collect();
    }

    /// What a node cannot be without is there, as far as it is wanted: an address and a default route of each family.
    /// Whatever else the kernel refused harms itself alone.
    pub fn is_met(&self, kernel: &Kernel) -> bool {
        let has = |wanted: &Address| kernel.addresses.iter().any(|told| told.address == *wanted);
        let address = [true, false].into_iter().all(|ipv4| {
            let mut wanted = self.addresses.keys().filter(|one| one.address.is_ipv4() == ipv4).peekable();
            wanted.peek().is_none() || wanted.any(has)
        });
        // Somebody else's route of the family serves as well.
        let leads = |to: IpAddr| kernel.routes.iter().any(|(route, _)| route.is_default() && route.destination == to);
        let route = self.routes.iter().filter(|route| route.is_default()).all(|route| leads(route.destination));
        address && route && (!self.wants_default || kernel.routes.iter().any(|(route, _)| route.is_default()))
    }
}

fn append<T: PartialEq>(list: &mut Vec<T>, more: impl Iterator<Item = T>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}
