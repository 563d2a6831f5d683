//! The machine's addresses, in the order in which it is known by them: kubelet takes the first one of IPv4 that stands in
//! `/etc/hosts` under the host's name, else the first of IPv6.

use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;

/// The kernel's main routes (`proc_pid_net(5)`).
const ROUTES: &str = "/proc/net/route";
const ROUTES6: &str = "/proc/net/ipv6_route";
/// More of either is not read: a router can name networks without end.
const LONGEST: u64 = 1 << 20;
/// `RTF_REJECT`: it leads nowhere.
const REJECT: u32 = 0x200;

/// The addresses that others can reach, those of the default route's card first.
pub fn all() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let interfaces = interfaces.filter(|one| !one.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    let addresses = interfaces.filter_map(|one| Some((address(&one.address?)?, one.interface_name)));
    let (routes, routes6) = (read(ROUTES), read(ROUTES6));
    Ok(ordered(addresses.collect(), nearest(routes.lines().filter_map(row)), nearest(routes6.lines().filter_map(row6))))
}

/// An address that others can reach.
fn address(of: &SockaddrStorage) -> Option<IpAddr> {
    let four = of.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    let six = of.as_sockaddr_in6().map(|address| address.ip()).filter(|ip| !ip.is_unicast_link_local());
    four.or(six.map(IpAddr::V6))
}

/// Empty where it cannot be read: without IPv6 there is no such file.
fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    let _ = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Of a default route of IPv4: its metric and its card.
fn row(line: &str) -> Option<(u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [card, destination, _, flags, _, _, metric, mask, ..] = fields[..] else { return None };
    let is_default = destination == "00000000" && mask == "00000000" && leads_on(flags)?;
    is_default.then_some((metric.parse().ok()?, card))
}

/// The same of IPv6.
fn row6(line: &str) -> Option<(u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, bits, _, _, _, metric, _, _, flags, card] = fields[..] else { return None };
    let is_default = destination.bytes().all(|byte| byte == b'0') && bits == "00" && leads_on(flags)?;
    is_default.then_some((u32::from_str_radix(metric, 16).ok()?, card))
}

fn leads_on(flags: &str) -> Option<bool> {
    Some(u32::from_str_radix(flags, 16).ok()? & REJECT == 0)
}

/// The card of the route that is taken: the lowest metric's.
fn nearest<'r>(routes: impl Iterator<Item = (u32, &'r str)>) -> Option<&'r str> {
    routes.min_by_key(|(metric, _)| *metric).map(|(_, card)| card)
}

/// Of each family those of its default route's card first. A family that has none is left out where the other has one:
/// kubelet would take IPv4 all the same.
fn ordered(mut addresses: Vec<(IpAddr, String)>, card: Option<&str>, card6: Option<&str>) -> Vec<IpAddr> {
    let default = |address: &IpAddr| if address.is_ipv4() { card } else { card6 };
    if card.or(card6).is_some() {
        addresses.retain(|(address, _)| default(address).is_some());
    }
    addresses.sort_by_key(|(address, name)| default(address) != Some(name.as_str()));
    addresses.into_iter().map(|(address, _)| address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IPV4: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth2\t00000000\t010071CB\t0003\t0\t0\t200\t00000000\t0\t0\t0
eth1\t00000000\t016433C6\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t5\t00000080\t0\t0\t0
eth0\t00000000\t00000000\t0201\t0\t0\t1\t00000000\t0\t0\t0
";
    const IPV6: &str = "\
20010db8000100000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 004c0001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000bb9 00000001 00000000 00450003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000402 00000001 00000000 00450003     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    fn card(routes: &str) -> Option<&str> {
        nearest(routes.lines().filter_map(row))
    }

    fn card6(routes: &str) -> Option<&str> {
        nearest(routes.lines().filter_map(row6))
    }

    #[test]
    fn the_default_routes_card_is_that_of_the_lowest_metric() {
        assert_eq!((card(IPV4), card6(IPV6)), (Some("eth1"), Some("eth1")));
        assert_eq!((card(""), card6("")), (None, None));
        let head: String = IPV4.lines().take(2).collect::<Vec<_>>().join("\n");
        let nowhere = IPV6.lines().last().expect("a line");
        assert_eq!((card(&head), card6(nowhere)), (None, None), "a network, and the kernel's own end of all routes");
    }

    #[test]
    fn the_default_routes_card_comes_first_and_a_family_without_one_is_left_out() {
        let of =
            |address: &str, card: &str| -> (IpAddr, String) { (address.parse().expect("an address"), card.to_owned()) };
        let all = || {
            vec![
                of("192.0.2.59", "eth0"),
                of("198.51.100.59", "eth1"),
                of("2001:db8::59", "eth0"),
                of("2001:db8:1::59", "eth1"),
            ]
        };
        let texts = |card: Option<&str>, card6: Option<&str>| -> Vec<String> {
            ordered(all(), card, card6).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            texts(Some("eth1"), Some("eth1")),
            ["198.51.100.59", "2001:db8:1::59", "192.0.2.59", "2001:db8::59"]
        );
        assert_eq!(texts(Some("eth0"), None), ["192.0.2.59", "198.51.100.59"]);
        assert_eq!(texts(None, Some("eth1")), ["2001:db8:1::59", "2001:db8::59"]);
        assert_eq!(texts(None, None).len(), 4, "as the kernel has them");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[0-9a-f \\t\\neth]{0,200}") {
            let _ = (card(&text), card6(&text));
        }
    }
}
