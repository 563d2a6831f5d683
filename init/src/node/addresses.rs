//! The machine's addresses, where nothing else tells kubelet the node's. It looks the host's name up first, throws away
//! loopback addresses and such that no card has, and goes by the default route when nothing is left
//! (`pkg/kubelet/nodestatus/setters.go`). That follows a lease that brings another address, and `/etc/hosts` does not: of the
//! addresses of the boot there, only the other family's would be good then, and the node would change to that.

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

/// The addresses that others can reach, of a machine without a default route; none where there is one of either family.
pub fn unrouted() -> io::Result<Vec<IpAddr>> {
    if has_default_route(&read(ROUTES), &read(ROUTES6)) {
        return Ok(Vec::new());
    }
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let interfaces = interfaces.filter(|one| !one.flags.contains(InterfaceFlags::IFF_LOOPBACK));
    Ok(interfaces.filter_map(|one| address(&one.address?)).collect())
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

fn has_default_route(routes: &str, routes6: &str) -> bool {
    routes.lines().any(is_default) || routes6.lines().any(is_default6)
}

/// Whether a line of IPv4's routes is a default route.
fn is_default(line: &str) -> bool {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, destination, _, flags, _, _, _, mask, ..] = fields[..] else { return false };
    destination == "00000000" && mask == "00000000" && leads_on(flags)
}

/// The same of IPv6.
fn is_default6(line: &str) -> bool {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, bits, _, _, _, _, _, _, flags, _] = fields[..] else { return false };
    destination.bytes().all(|byte| byte == b'0') && bits == "00" && leads_on(flags)
}

fn leads_on(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & REJECT == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The title, a network, half of the world, and a way to nowhere.
    const ROWS: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t5\t00000080\t0\t0\t0
eth0\t00000000\t00000000\t0201\t0\t0\t1\t00000000\t0\t0\t0
";
    const DEFAULT: &str = "eth1\t00000000\t016433C6\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
    /// A network, half of the world, and the kernel's own end of all routes.
    const ROWS6: &str = "\
20010db8000100000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 004c0001     eth0
00000000000000000000000000000000 01 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000402 00000001 00000000 00450003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
    const DEFAULT6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000402 00000001 00000000 00450003     eth1\n";

    #[test]
    fn a_default_route_of_either_family_is_one() {
        for (routes, routes6, wanted) in [
            (ROWS.to_owned(), ROWS6.to_owned(), false),
            (format!("{ROWS}{DEFAULT}"), ROWS6.to_owned(), true),
            (ROWS.to_owned(), format!("{DEFAULT6}{ROWS6}"), true),
            (String::new(), DEFAULT6.to_owned(), true),
            (String::new(), String::new(), false),
            // A file that was cut.
            (DEFAULT[..40].to_owned(), DEFAULT6[..100].to_owned(), false),
        ] {
            assert_eq!(has_default_route(&routes, &routes6), wanted, "{routes}\n{routes6}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[0-9a-f \\t\\neth]{0,200}") {
            let _ = has_default_route(&text, &text);
        }
    }
}
