//! IPv6 from a real router and a real DHCPv6 server, beside IPv4.

mod lab;

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
