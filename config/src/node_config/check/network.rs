//! Interfaces, addresses, routes, name servers.

use std::net::IpAddr;

use super::super::load::{PLAIN, not_done};
use super::super::network::{MAPPED, is_reachable, is_unicast, mapped};
use super::super::{Cidr, Interface, Ipv4Method, Ipv6Method, LONGEST_SEARCH_LIST, MOST_SEARCH_DOMAINS, Network};
use super::names::is_domain;
use super::{Report, excerpt, expect_once, expect_plain};

const MOST_INTERFACES: usize = 16;
/// glibc's limit, and kubelet's for pods.
const MOST_DNS_SERVERS: usize = 3;
/// Without IPv6 a link may carry less than it demands.
pub(in super::super) const LEAST_MTU: u16 = 576;
pub(in super::super) const LEAST_MTU_IPV6: u16 = 1280;
pub(in super::super) const MOST_MTU: u16 = 9216;
/// Of an interface that has many, these are named where one of them is meant.
const SHOWN_NETWORKS: usize = 3;

pub(super) fn check(network: &Network, report: &mut Report) {
    let message = format!("{} interfaces are named", network.interfaces.len());
    let next = format!("name {MOST_INTERFACES} at most");
    report.expect(network.interfaces.len() <= MOST_INTERFACES, &["network", "interfaces"], message, &next);
    for (index, interface) in network.interfaces.iter().enumerate() {
        let index = index.to_string();
        let mut at = At { index: &index, interface, report };
        at.check_identity();
        at.check_methods();
        at.check_addresses();
        at.check_gateways();
        at.check_routes();
        at.check_mtu();
    }
    check_once(network, report);
    check_default_routes(network, report);
    check_dns(network, report);
}

/// One interface and where it stands.
struct At<'a> {
    index: &'a str,
    interface: &'a Interface,
    report: &'a mut Report,
}

impl At<'_> {
    fn expect(&mut self, good: bool, path: &[&str], message: String, next: &str) {
        let path = [&["network", "interfaces", self.index], path].concat();
        self.report.expect(good, &path, message, next);
    }

    fn check_identity(&mut self) {
        let (name, mac) = (&self.interface.name, self.interface.mac);
        let message = "it has both `name` and `mac`, or neither".to_owned();
        self.expect(name.is_some() != mac.is_some(), &[], message, "say by one of them which interface is meant");
        let Some(name) = name else { return };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let shown = excerpt(name);
        match not_done(name).or(name.contains('.').then_some("VLANs")) {
            Some(what) => self.expect(false, &["name"], format!("`{shown}`: {what} are not done yet"), PLAIN),
            None => {
                let good = (1..=15).contains(&name.len()) && name.bytes().all(plain) && name != "lo";
                let next = "write it as the kernel names it, such as \"eth0\", or use `mac`";
                self.expect(good, &["name"], format!("`{shown}` is not the name of an Ethernet interface"), next);
            }
        }
    }

    fn check_methods(&mut self) {
        let addresses = &self.interface.addresses;
        let families = [
            ("ipv4", self.interface.ipv4_method() == Ipv4Method::Static, addresses.iter().any(Cidr::is_ipv4)),
            ("ipv6", self.interface.ipv6_method() == Ipv6Method::Static, !addresses.iter().all(Cidr::is_ipv4)),
        ];
        for (key, fixed, given) in families {
            let next = "add them to `addresses`";
            self.expect(!fixed || given, &[key], format!("`{key}` is static, and no address is given"), next);
            let message = format!("addresses are given, and `{key}` is not static");
            self.expect(fixed || !given, &[key], message, "give addresses, or have the network give them");
        }
    }

    fn check_addresses(&mut self) {
        let addresses = &self.interface.addresses;
        for (index, address) in addresses.iter().enumerate() {
            let path = ["addresses", &index.to_string()];
            let next = "write an address of the machine's own: not a network's first or last, no group, no loopback";
            self.expect(address.is_host(), &path, format!("`{address}` cannot be a machine's address"), next);
        }
    }

    fn check_gateways(&mut self) {
        let Interface { gateway4, gateway6, .. } = *self.interface;
        for (key, gateway) in [("gateway4", gateway4.map(IpAddr::V4)), ("gateway6", gateway6.map(IpAddr::V6))] {
            let Some(gateway) = gateway else { continue };
            if let Some(plain) = mapped(gateway) {
                let next = format!("write `gateway4 = \"{plain}\"`");
                self.expect(false, &[key], format!("`{gateway}` is {MAPPED}"), &next);
                continue;
            }
            let fixed = match gateway {
                IpAddr::V4(_) => self.interface.ipv4_method() == Ipv4Method::Static,
                IpAddr::V6(_) => self.interface.ipv6_method() == Ipv6Method::Static,
            };
            let next = "leave it out: the network names the router, or there is none";
            self.expect(fixed, &[key], format!("`{gateway}` is a gateway without a static address"), next);
            let message = format!("`{gateway}` cannot be a router's address");
            self.expect(is_unicast(gateway), &[key], message, "name the next router on this link");
            if fixed && is_unicast(gateway) {
                self.expect_on_link(gateway, &[key]);
            }
        }
        let (ipv4, ipv6) = (self.interface.ipv4_method(), self.interface.ipv6_method());
        let asks = ipv4 == Ipv4Method::Dhcp || ipv6 == Ipv6Method::Auto;
        let message = "the network is not asked for routes here".to_owned();
        let next = "leave it out: a static interface has a default route if it names a gateway";
        self.expect(asks || self.interface.default_route.is_none(), &["default_route"], message, next);
    }

    /// A router is reached without another router: it is in a network of the interface's addresses, or where a route
    /// leads that goes by none. An address by itself (/32, /128) has nobody beside it, as hosters and failover have it.
    fn expect_on_link(&mut self, router: IpAddr, path: &[&str]) {
        let Interface { addresses, routes, .. } = self.interface;
        let own = addresses.iter().any(|address| address.address == router);
        let message = format!("`{router}` is this interface's own address");
        self.expect(!own, path, message, "name the router's address");
        let end = addresses.iter().any(|address| address.is_end(router));
        let message = format!("`{router}` is its network's first or last address, which no router has");
        self.expect(!end, path, message, "name the router's address");
        let link_local = matches!(router, IpAddr::V6(address) if address.is_unicast_link_local());
        let by_route = routes.iter().any(|route| route.via.is_none() && route.to.contains(router));
        let near = link_local || by_route || addresses.iter().any(|address| address.contains(router));
        let whole = if router.is_ipv4() { 32 } else { 128 };
        let networks: Vec<String> = addresses
            .iter()
            .filter(|address| address.is_ipv4() == router.is_ipv4() && address.prefix < whole)
            .map(|address| format!("{}/{}", address.network(), address.prefix))
            .take(SHOWN_NETWORKS)
            .collect();
        let next = match networks.is_empty() {
            true => format!("say that it is on this link: `routes = [{{ to = \"{router}/{whole}\" }}]`"),
            false => format!("name a router in {}", networks.join(" or ")),
        };
        self.expect(near, path, format!("`{router}` is outside of the interface's networks"), &next);
    }

    fn check_routes(&mut self) {
        for (index, route) in self.interface.routes.iter().enumerate() {
            let index = index.to_string();
            let network = route.to.network();
            let message = format!("`{}` has bits behind its prefix", route.to);
            let next = format!("write the network: \"{network}/{}\"", route.to.prefix);
            self.expect(network == route.to.address, &["routes", &index, "to"], message, &next);
            let Some(via) = route.via else { continue };
            let path = ["routes", &index, "via"];
            if mapped(via).is_some() {
                expect_plain(via, &[&["network", "interfaces", self.index], &path[..]].concat(), self.report);
                continue;
            }
            let message = format!("`{via}` and `{}` are not of one family", route.to);
            let same = via.is_ipv4() == route.to.is_ipv4();
            self.expect(same, &path, message, "name a router of the network's own family");
            let message = format!("`{via}` cannot be a router's address");
            self.expect(is_unicast(via), &path, message, "name the next router on this link");
            // What DHCP will give is not known here.
            let known = match via {
                IpAddr::V4(_) => self.interface.ipv4_method() != Ipv4Method::Dhcp,
                IpAddr::V6(_) => self.interface.ipv6_method() != Ipv6Method::Auto,
            };
            if known && same && is_unicast(via) {
                self.expect_on_link(via, &path);
            }
        }
    }

    fn check_mtu(&mut self) {
        let Some(mtu) = self.interface.mtu else { return };
        let without = self.interface.ipv6_method() == Ipv6Method::Off;
        let least = if without { LEAST_MTU } else { LEAST_MTU_IPV6 };
        let next = format!("it takes {least} to {MOST_MTU}{}", if without { "" } else { ", with IPv6" });
        self.expect((least..=MOST_MTU).contains(&mtu), &["mtu"], format!("{mtu} is not a size of packets"), &next);
    }
}

fn check_once(network: &Network, report: &mut Report) {
    let interfaces = &network.interfaces;
    let names: Vec<_> = interfaces.iter().map(|interface| (&interface.name, interface.mac)).collect();
    let mut seen: Vec<IpAddr> = Vec::new();
    let mut led: Vec<Cidr> = Vec::new();
    for (index, interface) in interfaces.iter().enumerate() {
        let at = index.to_string();
        if names[index] != (&None, None) {
            expect_once(&names, index, &["network", "interfaces", &at], report);
        }
        for (number, address) in interface.addresses.iter().enumerate() {
            let path = ["network", "interfaces", &at, "addresses", &number.to_string()];
            let message = format!("`{}` is there already", address.address);
            report.expect(!seen.contains(&address.address), &path, message, "give each address once");
            seen.push(address.address);
        }
        // The kernel takes one route to each network. Default routes have a rule of their own.
        for (number, route) in interface.routes.iter().enumerate().filter(|(_, route)| !route.is_default()) {
            let path = ["network", "interfaces", &at, "routes", &number.to_string(), "to"];
            let message = format!("a route to `{}` is there already", route.to);
            report.expect(!led.contains(&route.to), &path, message, "keep one of them: one way leads to each network");
            led.push(route.to);
        }
    }
}

/// A default route, or the right to take one: interface, key, whether it is IPv4's.
type Default<'k> = (usize, Vec<&'k str>, bool);

/// Exactly one default route: two of one family would be taken in turns by whoever came last.
fn check_default_routes(network: &Network, report: &mut Report) {
    let defaults: Vec<Default<'_>> = network.interfaces.iter().enumerate().flat_map(defaults).collect();
    for (family, ipv4) in [("IPv4", true), ("IPv6", false)] {
        for (index, key, _) in defaults.iter().filter(|default| default.2 == ipv4).skip(1) {
            let index = index.to_string();
            let path = [&["network", "interfaces", index.as_str()], key.as_slice()].concat();
            let next = "keep one gateway; where the network offers it, say `default_route = false` on the others";
            report.expect(false, &path, format!("a second default route for {family}"), next);
        }
    }
    let none = !network.interfaces.is_empty() && defaults.is_empty();
    let message = "no interface has a default route".to_owned();
    report.expect(!none, &["network", "interfaces"], message, "add `gateway4` or `gateway6` to one of them");
}

fn defaults((index, interface): (usize, &Interface)) -> Vec<Default<'_>> {
    let takes = interface.takes_default_route();
    let routes = interface.routes.iter().filter(|route| route.is_default());
    let sources = [
        (takes && interface.ipv4_method() == Ipv4Method::Dhcp, "ipv4", true),
        (takes && interface.ipv6_method() == Ipv6Method::Auto, "ipv6", false),
        (interface.gateway4.is_some(), "gateway4", true),
        (interface.gateway6.is_some(), "gateway6", false),
    ];
    let sources = sources.into_iter().filter(|source| source.0).map(|(_, key, ipv4)| (index, vec![key], ipv4));
    sources.chain(routes.map(|route| (index, vec!["routes"], route.to.is_ipv4()))).collect()
}

fn check_dns(network: &Network, report: &mut Report) {
    let message = format!("{} name servers are named", network.dns.len());
    let next = format!("name {MOST_DNS_SERVERS} at most: programs ask no more");
    report.expect(network.dns.len() <= MOST_DNS_SERVERS, &["network", "dns"], message, &next);
    for (index, server) in network.dns.iter().enumerate() {
        let path = ["network", "dns", &index.to_string()];
        expect_plain(*server, &path, report);
        let message = format!("`{server}` cannot be a name server's address");
        report.expect(is_reachable(*server), &path, message, "name one that this machine can reach");
        expect_once(&network.dns, index, &path, report);
    }
    let length: usize = network.search.iter().map(|domain| domain.len() + 1).sum();
    let good = network.search.len() <= MOST_SEARCH_DOMAINS && length <= LONGEST_SEARCH_LIST;
    let message = format!("{} search domains with {length} bytes are too much", network.search.len());
    let next = format!("it takes {MOST_SEARCH_DOMAINS}, with {LONGEST_SEARCH_LIST} bytes together");
    report.expect(good, &["network", "search"], message, &next);
    // A name is the same in capitals (RFC 4343).
    let search: Vec<String> = network.search.iter().map(|domain| domain.to_ascii_lowercase()).collect();
    for (index, domain) in network.search.iter().enumerate() {
        let path = ["network", "search", &index.to_string()];
        let message = format!("`{}` is not a domain", excerpt(domain));
        let next = "write it as \"example.org\", the last part not a number";
        report.expect(is_domain(&search[index]), &path, message, next);
        expect_once(&search, index, &path, report);
    }
}
