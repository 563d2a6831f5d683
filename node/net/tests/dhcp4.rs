//! A real DHCP server at the other end of a wire: address, route and files are really there; the lease is renewed; the
//! server goes and comes back; the program is killed.

mod lab;

const RANGE: &str = "--dhcp-range=192.0.2.50,192.0.2.59,2m";

#[test]
fn a_lease_is_had_kept_and_survives_server_and_program() {
    lab::inside("a_lease_is_had_kept_and_survives_server_and_program", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        let options = [
            RANGE,
            "--dhcp-option=option:T1,10",
            "--dhcp-option=option:T2,13",
            "--dhcp-option=option:mtu,1400",
            "--dhcp-option=option:dns-server,192.0.2.1",
            "--dhcp-option=option:classless-static-route,198.51.100.0/24,192.0.2.7,0.0.0.0/0,192.0.2.1",
            "--domain=lab.example",
        ];
        let mut server = lab.dnsmasq(0, &options);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        assert!(lab.there("ip -4 address show dev cl0").contains("inet 192.0.2.5"));
        assert!(lab.there("ip link show dev cl0").contains("mtu 1400"));
        let routes = lab.there("ip route");
        assert!(routes.contains("default via 192.0.2.1 dev cl0 proto 79"), "{routes}");
        assert!(routes.contains("198.51.100.0/24 via 192.0.2.7"), "{routes}");
        assert_eq!(lab.file("resolv.conf"), "search lab.example\nnameserver 192.0.2.1\n");

        // Renewed by the server that gave it.
        server.says("DHCPACK");
        server.says("DHCPREQUEST");
        server.says("DHCPACK");
        // Killed: what the kernel has stays, and the next one asks nothing before it is due.
        let before = lab.there("ip -4 -oneline address show dev cl0 | cut -d' ' -f1-8");
        let asked = server.rest().matches("DHCPDISCOVER").count();
        net.kill();
        assert_eq!(lab.there("ip -4 -oneline address show dev cl0 | cut -d' ' -f1-8"), before);
        let mut net = lab.net(&["--card", "cl0"]);
        lab.ready(&mut net);
        server.says("DHCPACK");
        assert_eq!(server.rest().matches("DHCPDISCOVER").count(), asked, "{}", server.rest());

        // The server is gone: the address stays; after T2 anybody is asked; it is back, and nothing has changed.
        server.stop();
        net.says("does not renew 192.0.2.5");
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        let mut server = lab.dnsmasq(0, &options);
        server.says("DHCPACK");
        assert!(lab.there("ip route").contains("default via 192.0.2.1"));

        // Somebody takes the address away: it comes back with its routes.
        lab.there("ip address del $(ip -4 -oneline address show dev cl0 | tr -s ' ' | cut -d' ' -f4) dev cl0");
        lab.until_there("ip route", "default via 192.0.2.1 dev cl0");
        lab.until_there("ip route", "198.51.100.0/24 via 192.0.2.7");
        // A route of somebody else stays.
        lab.there("ip route add 203.0.113.0/24 via 192.0.2.9");
        lab.here("ip link set srv0 down");
        net.says("the carrier is gone");
        lab.here("ip link set srv0 up");
        net.says("the carrier is there");
        server.says("DHCPACK");
        assert!(lab.there("ip route").contains("203.0.113.0/24"));
    });
}

#[test]
fn two_cards_have_one_default_route() {
    lab::inside("two_cards_have_one_default_route", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        lab.card(1, &["198.51.100.1/24"]);
        let _first = lab.dnsmasq(0, &[RANGE]);
        let _second = lab.dnsmasq(1, &["--dhcp-range=198.51.100.50,198.51.100.59,2m"]);
        let mut net = lab.net(&["--card", "cl0", "--card", "cl1"]);
        lab.ready(&mut net);
        lab.until_there("ip -4 address show dev cl1", "inet 198.51.100.5");
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        lab.until_there("ip route show default", "default via 192.0.2.1 dev cl0");
        assert_eq!(lab.there("ip route show default").lines().count(), 1);
        lab.here("ip link set srv0 down");
        lab.until_there("ip route show default", "default via 198.51.100.1 dev cl1");
        assert_eq!(lab.there("ip route show default").lines().count(), 1);
    });
}
