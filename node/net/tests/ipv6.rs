//! IPv6 from a real router and a real DHCPv6 server, beside IPv4.

mod lab;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, sendto, setsockopt, socket, sockopt,
};
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

/// As a node is: it forwards packets, and listens to no routers by itself.
const NODE: &str =
    "sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.cl0.accept_ra=0";
const RANGE4: &str = "--dhcp-range=192.0.2.50,192.0.2.59,2m";

#[test]
fn a_router_gives_an_address_a_route_and_name_servers() {
    lab::inside("a_router_gives_an_address_a_route_and_name_servers", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        lab.there(NODE);
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
        // Killed as the card was starting over.
        net.kill();
        lab.there("sysctl -qw net.ipv6.conf.cl0.disable_ipv6=1");
        lab.until_gone_there("ip -6 address show dev cl0", "inet6");
        let _net = lab.net(&["--card", "cl0"]);
        lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
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

/// Neither's lifetime has ended, and the one whose card has no carrier is the first in the plan's order.
#[test]
fn of_two_routers_the_one_is_taken_whose_card_has_a_carrier() {
    lab::inside("of_two_routers_the_one_is_taken_whose_card_has_a_carrier", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8:1::1/64"]);
        lab.card(1, &["198.51.100.1/24", "2001:db8:2::1/64"]);
        lab.there(NODE);
        lab.there("sysctl -qw net.ipv6.conf.cl1.accept_ra=0");
        let _first = lab.dnsmasq(0, &[RANGE4, "--dhcp-range=2001:db8:1::,ra-only", "--enable-ra"]);
        let second =
            ["--dhcp-range=198.51.100.50,198.51.100.59,2m", "--dhcp-range=2001:db8:2::,ra-only", "--enable-ra"];
        let _second = lab.dnsmasq(1, &second);
        let _net = lab.net(&["--card", "cl0", "--card", "cl1"]);
        for card in ["cl0", "cl1"] {
            lab.until_there("ip -6 route show default", &format!("dev {card} proto ra"));
        }
        let way = "ip -6 route get 2001:db8:9::9";
        lab.until_there(way, "dev cl0");
        lab.here("ip link set srv0 down");
        lab.until_there(way, "dev cl1");
        assert!(lab.there("ip -6 route show default").contains("dev cl0 proto ra"), "it is there all the time");
        lab.here("ip link set srv0 up");
        lab.until_there(way, "dev cl0");
    });
}

/// Another host is on the segment with the first address that the server gives.
#[test]
fn an_address_that_another_host_has_is_given_back_and_another_one_is_had() {
    lab::inside("an_address_that_another_host_has_is_given_back_and_another_one_is_had", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64", "2001:db8::100/64"]);
        lab.there("ip link set cl0 address 02:00:00:00:00:02");
        let server = [
            RANGE4,
            "--dhcp-range=2001:db8::100,2001:db8::1ff,64,2m",
            "--enable-ra",
            "--dhcp-host=id:00:03:00:01:02:00:00:00:00:02,[2001:db8::100]",
        ];
        let mut server = lab.dnsmasq(0, &server);
        let mut net = lab.net(&["--card", "cl0"]);
        net.says("a DHCPv6 server gives 2001:db8::100");
        net.says("another host has 2001:db8::100");
        server.says("DHCPDECLINE");
        net.says("a DHCPv6 server gives 2001:db8::1");
        lab.until_there("ip -6 address show dev cl0", "/128 scope global dynamic");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        let has = lab.there("ip -6 address show dev cl0");
        assert!(has.contains("inet6 2001:db8::1") && !has.contains("inet6 2001:db8::100/"), "{has}");
        assert_eq!(server.rest().matches("DHCPDECLINE").count(), 1, "{}", server.rest());
    });
}

#[test]
fn an_address_is_confirmed_after_the_carrier_was_away_and_replaced_on_another_segment() {
    lab::inside("an_address_is_confirmed_after_the_carrier_was_away_and_replaced_on_another_segment", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        let mut server = lab.dnsmasq(0, &[RANGE4, "--dhcp-range=2001:db8::100,2001:db8::1ff,64,2m", "--enable-ra"]);
        let mut net = lab.net(&["--card", "cl0"]);
        net.says("a DHCPv6 server gives 2001:db8::1");
        // A link that goes down loses its addresses of IPv6.
        let comes_back = |address: &str| {
            lab.here(&format!("ip link set srv0 up; ip address add {address} dev srv0 nodad"));
        };
        lab.here("ip link set srv0 down");
        net.says("the carrier is gone");
        comes_back("2001:db8::1/64");
        server.says("DHCPCONFIRM");
        assert!(lab.there("ip -6 address show dev cl0").contains("inet6 2001:db8::1"));

        server.stop();
        lab.here("ip link set srv0 down");
        net.says("the carrier is gone");
        comes_back("2001:db8:1::1/64");
        let other = [RANGE4, "--dhcp-range=2001:db8:1::100,2001:db8:1::1ff,64,2m", "--enable-ra"];
        let _server = lab.dnsmasq(0, &other);
        net.says("is no address of this link; asking anew");
        net.says("a DHCPv6 server gives 2001:db8:1::1");
        lab.until_gone_there("ip -6 address show dev cl0", "inet6 2001:db8::1");
    });
}

/// There is no IPv4, addresses come by the router alone, and it names nobody: what it could tell is in answers of DHCPv6 only.
#[test]
fn a_dhcpv6_server_names_servers_where_the_router_says_that_it_does() {
    lab::inside("a_dhcpv6_server_names_servers_where_the_router_says_that_it_does", |lab| {
        lab.card(0, &["2001:db8::1/64"]);
        let time = UdpSocket::bind("[2001:db8::1]:123").expect("port 123");
        time.set_read_timeout(Some(Duration::from_secs(40))).expect("a timeout");
        let server = [
            "--dhcp-range=2001:db8::,ra-stateless",
            "--enable-ra",
            "--dhcp-option=tag:dhcpv6,option6:dns-server,[2001:db8::53]",
            "--dhcp-option=tag:dhcpv6,option6:domain-search,six.example",
            "--dhcp-option=tag:dhcpv6,option6:ntp-server,[2001:db8::1]",
        ];
        let mut server = lab.dnsmasq(0, &server);
        let mut net = lab.net(&["--card", "cl0"]);
        net.says("a DHCPv6 server tells of name servers (1) and time servers (1)");
        let resolv = format!("cat {} || true", lab.run().join("resolv.conf").display());
        lab.until_here(&resolv, "nameserver 2001:db8::53");
        assert!(lab.file("resolv.conf").contains("search six.example"), "{}", lab.file("resolv.conf"));
        lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
        let mut question = [0; 64];
        let (length, _) = time.recv_from(&mut question).expect("the time server is asked");
        assert_eq!(length, 48);
        // Killed: the next one knows it all, and asks nobody before it is due.
        let asked = server.rest().matches("DHCPINFORMATION-REQUEST").count();
        assert!(asked > 0, "{}", server.rest());
        net.kill();
        std::fs::remove_file(lab.run().join("resolv.conf")).expect("the file of before");
        let _net = lab.net(&["--card", "cl0"]);
        lab.until_here(&resolv, "nameserver 2001:db8::53");
        assert_eq!(server.rest().matches("DHCPINFORMATION-REQUEST").count(), asked);
    });
}

/// The right router, one that says that addresses come by DHCPv6, and one that is none of the segment's.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const MANAGER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ROGUE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xbad);
/// Prefixes of an advertisement that fit into 1500 bytes.
const FIT: u16 = 40;
/// `max_addresses`: the kernel gives a card no more by advertisements.
const MOST: usize = 16;

/// What comes from the segment is the kernel's to judge; what another router may say there costs neither the way out, nor the
/// MTU, nor how far packets get.
#[test]
fn a_rogue_router_takes_neither_the_default_route_nor_the_mtu_and_fills_nothing() {
    lab::inside("a_rogue_router_takes_neither_the_default_route_nor_the_mtu_and_fills_nothing", |lab| {
        lab.card(0, &["192.0.2.1/24", &format!("{ROUTER}/64"), &format!("{ROGUE}/64")]);
        lab.there(NODE);
        let _server = lab.dnsmasq(0, &[RANGE4]);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        lab.until_there("ip -6 address show dev cl0", "inet6 fe80::");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        advertise(ROUTER, 1800, &prefix(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)));
        let default = format!("default via {ROUTER} dev cl0 proto ra");
        lab.until_there("ip -6 route show default", &default);

        for packet in 0..5 {
            let numbers = packet * FIT..(packet + 1) * FIT;
            let prefixes = numbers.flat_map(|number| prefix(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, number, 0, 0, 0, 0)));
            // IPv6 needs 1280 (RFC 8200 §5). It is no way to anywhere, by its own words.
            advertise(ROGUE, 0, &mtu(600).into_iter().chain(prefixes).collect::<Vec<u8>>());
        }
        // The last one was taken.
        lab.until_there("ip -6 route show dev cl0", &format!("2001:db8:bad:{:x}::/64", 5 * FIT - 1));
        let is_as_before = || {
            let (four, six) = (lab.there("ip -4 route show default"), lab.there("ip -6 route show default"));
            assert!(four.contains("default via 192.0.2.1 dev cl0"), "{four}");
            assert!(six.contains(&default) && !six.contains(&ROGUE.to_string()), "{six}");
            assert_eq!(lab.there("cat /proc/sys/net/ipv6/conf/cl0/mtu").trim(), "1500");
            assert_eq!(lab.there("cat /proc/sys/net/ipv6/conf/cl0/hop_limit").trim(), "255");
            let has = lab.there("ip -6 address show dev cl0");
            assert!(has.contains("mtu 1500") && has.matches("inet6 ").count() <= MOST, "{has}");
        };
        is_as_before();
        // The next one reads all that the kernel has by now.
        net.kill();
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        is_as_before();
        // The least that IPv6 needs is taken of anybody.
        advertise(ROGUE, 0, &mtu(1280));
        lab.until_there("cat /proc/sys/net/ipv6/conf/cl0/mtu", "1280");
    });
}

/// RFC 8415 says to which ports packets go, and not from which one a server or relay sends: the firewall lets its answer in,
/// which belongs to no connection, and the program reads it. What it gives is not withdrawn by its being preferred no more.
#[test]
fn a_dhcpv6_server_may_answer_from_any_port_and_prefer_its_address_no_more() {
    lab::inside("a_dhcpv6_server_may_answer_from_any_port_and_prefer_its_address_no_more", |lab| {
        lab.card(0, &[&format!("{MANAGER}/64")]);
        lab.there(NODE);
        dhcp6_server();
        let mut net = lab.net(&["--card", "cl0"]);
        lab.until_there("ip -6 address show dev cl0", "inet6 fe80::");
        lab.until_gone_there("ip -6 address show dev cl0", "tentative");
        advertise(MANAGER, 1800, &[]);
        net.says("a DHCPv6 server gives 2001:db8::7");
        lab.until_there("ip -6 address show dev cl0", "inet6 2001:db8::7/128");
        assert!(lab.there("ip -6 address show dev cl0").contains("deprecated"), "no connection begins by it");
    });
}

/// A server at this end that gives everybody one address, for an hour, in which it is not preferred; where it hears is not
/// where it speaks.
fn dhcp6_server() {
    const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
    let hears = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 547)).expect("port 547");
    hears.join_multicast_v6(&SERVERS, if_nametoindex("srv0").expect("this end of the wire")).expect("a group");
    let speaks = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("another port");
    std::thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, from)) = hears.recv_from(&mut question) {
            speaks.send_to(&dhcp6_answer(&question[..length]), from).expect("an answer");
        }
    });
}

/// To a Solicit (1) an Advertise (2), else a Reply (7).
fn dhcp6_answer(question: &[u8]) -> Vec<u8> {
    const HOUR: [u8; 4] = 3600u32.to_be_bytes();
    assert_eq!(question[4..8], [0, 1, 0, 10], "the client's identifier comes first");
    let kind = if question[0] == 1 { 2 } else { 7 };
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets();
    [
        &[kind][..],
        // The transaction, and whom it is for.
        &question[1..18],
        &[0, 2, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, 9],
        // The association, without times, and its address, with its own.
        &[0, 3, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 24],
        &address,
        &[0; 4],
        &HOUR,
    ]
    .concat()
}

/// Sends a router advertisement (RFC 4861, 4.2) from an address of this end: a router for so many seconds.
fn advertise(from: Ipv6Addr, seconds: u16, options: &[u8]) {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let wire = if_nametoindex("srv0").expect("this end of the wire");
    let at = |address| SockaddrIn6::from(SocketAddrV6::new(address, 0, 0, wire));
    let made = socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::IcmpV6);
    let made = made.expect("a raw socket");
    // With less it may have come from elsewhere, and is thrown away.
    setsockopt(&made, sockopt::Ipv6MulticastHops, &255).expect("a hop limit");
    bind(made.as_raw_fd(), &at(from)).expect("an address of this end");
    // With the rogue's packets would not get past the first router.
    let hop_limit = if from == ROGUE { 1 } else { 255 };
    let flags = if from == MANAGER { 0x80 } else { 0 };
    // Type, code, the checksum (the kernel's work), hop limit, flags.
    let mut packet: Vec<u8> = vec![134, 0, 0, 0, hop_limit, flags];
    packet.extend(seconds.to_be_bytes());
    // Times of neighbours: none are told.
    packet.extend([0; 8]);
    packet.extend(options);
    sendto(made.as_raw_fd(), &packet, &at(ALL_NODES), MsgFlags::empty()).expect("sent");
}

/// A network on the link that hosts make addresses of, for an hour (RFC 4861, 4.6.2).
fn prefix(network: Ipv6Addr) -> Vec<u8> {
    const HOUR: [u8; 4] = 3600u32.to_be_bytes();
    [&[3, 4, 64, 0xc0][..], &HOUR, &HOUR, &[0; 4], &network.octets()].concat()
}

/// The link's MTU (RFC 4861, 4.6.4).
fn mtu(bytes: u32) -> Vec<u8> {
    [&[5, 1, 0, 0][..], &bytes.to_be_bytes()].concat()
}
