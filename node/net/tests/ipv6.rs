//! IPv6 from a real router and a real DHCPv6 server, beside IPv4.

mod lab;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::Ipv6MulticastHops;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, sendto, setsockopt, socket,
};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, OwnedFd};

const RANGE4: &str = "--dhcp-range=192.0.2.50,192.0.2.59,2m";

#[test]
fn a_router_gives_an_address_a_route_and_name_servers() {
    lab::inside("a_router_gives_an_address_a_route_and_name_servers", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        // As a node is: it forwards packets, and listens to no routers by itself.
        lab.there(
            "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.cl0.accept_ra=0",
        );
        let server = [
            RANGE4,
            "--dhcp-range=2001:db8::,ra-only",
            "--enable-ra",
            "--dhcp-option=option6:dns-server,[2001:db8::1]",
            "--dhcp-option=option6:domain-search,six.example",
        ];
        let _server = lab.dnsmasq(0, &server);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        assert!(lab.there("ip -4 address show dev cl0").contains("inet 192.0.2.5"), "ready waits for IPv4");
        lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
        lab.until_there("ip -6 route show default", "dev cl0 proto ra");
        lab.until_there(&format!("cat {}", lab.run().join("resolv.conf").display()), "nameserver 2001:db8::1");
        assert!(lab.file("resolv.conf").contains("search six.example"), "{}", lab.file("resolv.conf"));
        // Killed: routers do not tell it again soon, and it still knows.
        net.kill();
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        assert!(lab.file("resolv.conf").contains("nameserver 2001:db8::1"));
        assert!(lab.there("ip -6 address show dev cl0").contains("scope global dynamic"));
    });
}

#[test]
fn a_dhcpv6_server_gives_an_address_where_the_router_says_so() {
    lab::inside("a_dhcpv6_server_gives_an_address_where_the_router_says_so", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        let server = [RANGE4, "--dhcp-range=2001:db8::100,2001:db8::1ff,64,2m", "--enable-ra"];
        let mut server = lab.dnsmasq(0, &server);
        let mut net = lab.net(&["--card", "cl0"]);
        net.says("a DHCPv6 server gives 2001:db8::1");
        lab.ready(&mut net);
        lab.until_there("ip -6 address show dev cl0", "inet6 2001:db8::1");
        lab.until_there("ip -6 address show dev cl0", "/128 scope global dynamic");
        lab.until_there("ip -6 route show default", "dev cl0 proto ra");
        server.says("DHCPREPLY");
        // Killed: the address stays, and nothing is asked before it is due.
        let asked = server.rest().matches("DHCPSOLICIT").count();
        net.kill();
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        assert!(lab.there("ip -6 address show dev cl0").contains("/128 scope global dynamic"));
        assert_eq!(server.rest().matches("DHCPSOLICIT").count(), asked);
        drop(server);
    });
}

/// A router at this end of the wire, with an address of the link's own.
struct Router {
    socket: OwnedFd,
    card: u32,
}

impl Router {
    fn at(address: &str) -> Self {
        let card = if_nametoindex("srv0").expect("a card");
        let socket = socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::IcmpV6);
        let socket = socket.expect("a raw socket");
        // Less would be of a packet that was forwarded, and no router's here (RFC 4861 §6.1.2).
        setsockopt(&socket, Ipv6MulticastHops, &255).expect("a hop limit");
        let address = SocketAddrV6::new(address.parse().expect("an address"), 0, 0, card);
        bind(socket.as_raw_fd(), &SockaddrIn6::from(address)).expect("the router's address");
        Router { socket, card }
    }

    /// Advertises itself for half an hour, with a largest packet, and networks for everybody to have an address of
    /// (RFC 4861 §4.2). The kernel puts the checksum in.
    fn advertise(&self, mtu: u32, networks: Range<u16>) {
        let mut packet = vec![134, 0, 0, 0, 64, 0];
        packet.extend_from_slice(&1800u16.to_be_bytes());
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[5, 1, 0, 0]);
        packet.extend_from_slice(&mtu.to_be_bytes());
        for network in networks {
            packet.extend_from_slice(&[3, 4, 64, 0xc0]);
            packet.extend_from_slice(&[3600u32.to_be_bytes(), 3600u32.to_be_bytes(), [0; 4]].concat());
            packet.extend_from_slice(&Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, 0).octets());
        }
        let everybody = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, self.card);
        let sent = sendto(self.socket.as_raw_fd(), &packet, &SockaddrIn6::from(everybody), MsgFlags::empty());
        assert_eq!(sent, Ok(packet.len()));
    }
}

/// Nobody can tell a rogue router from the right one, so what it says is bounded: it takes nothing away that another gave,
/// no packets get smaller than IPv6 has them, and addresses come to an end.
#[test]
fn a_rogue_router_takes_neither_routes_nor_packets_and_fills_nothing() {
    lab::inside("a_rogue_router_takes_neither_routes_nor_packets_and_fills_nothing", |lab| {
        lab.card(0, &["192.0.2.1/24", "fe80::1/64", "fe80::bad/64"]);
        let _server = lab.dnsmasq(0, &[RANGE4]);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        let (mtu, addresses) = ("cat /proc/sys/net/ipv6/conf/cl0/mtu", "ip -6 -oneline address show dev cl0");
        Router::at("fe80::1").advertise(1400, 1..2);
        lab.until_there("ip -6 route show default", "via fe80::1 dev cl0");
        lab.until_there(addresses, "2001:db8:1:");
        lab.until_there(mtu, "1400");

        let rogue = Router::at("fe80::bad");
        rogue.advertise(600, 0x100..0x128);
        lab.until_there(addresses, "2001:db8:100:");
        assert_eq!(lab.there(mtu).trim(), "1400");
        assert!(lab.there(addresses).contains("2001:db8:1:"));
        // The kernel's `max_addresses`, the link's own among them.
        let count = lab.there(addresses).lines().count();
        assert!(count <= 16, "{count} addresses: {}", lab.there(addresses));
        assert!(lab.there("ip -6 route show default").contains("via fe80::1 dev cl0"));
        assert!(lab.there("ip route show default").contains("via 192.0.2.1 dev cl0"));
        assert!(lab.there("ip link show dev cl0").contains("mtu 1500"), "IPv4 has what it had");
        // The least that it may say is taken: what it said before was looked at.
        rogue.advertise(1280, 0x200..0x201);
        lab.until_there(mtu, "1280");
        lab.here("ip link set srv0 down");
        net.says("the carrier is gone");
    });
}
