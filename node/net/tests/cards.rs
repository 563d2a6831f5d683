//! What becomes of a card when the plan changes, of two that the network tells the same, and of what the kernel refuses.

mod lab;

use lab::{Lab, Process};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

const LEAST: &str = include_str!("../../../config/tests/node_config/least.toml");
const FIRST: &str = "--dhcp-range=192.0.2.50,192.0.2.59,2m";
const SECOND: &str = "--dhcp-range=198.51.100.50,198.51.100.59,2m";
const ROUTER: [&str; 2] = ["--dhcp-range=2001:db8::,ra-only", "--enable-ra"];

/// As a node is: it forwards packets, and listens to no routers by itself.
fn as_a_node(lab: &Lab) {
    lab.there("sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_ra=0");
    lab.there("for card in /proc/sys/net/ipv6/conf/cl*; do echo 0 >$card/accept_ra; done");
}

/// The program with these cards, which waits for its document.
fn start(lab: &Lab, cards: &[&str]) -> Process {
    let sys = lab.folder.path().join("sys");
    std::fs::create_dir_all(sys.join("firmware")).expect("a folder");
    let (sys, settings) = (sys.display().to_string(), lab.settings(r#""fw_cfg""#));
    let cards = cards.iter().flat_map(|card| ["--card", *card]);
    let arguments: Vec<&str> = ["--sys", &sys, "--settings", &settings].into_iter().chain(cards).collect();
    lab.net(&arguments)
}

/// Gives it a document with these interfaces.
fn tell(lab: &Lab, interfaces: &str) {
    let item = lab.folder.path().join("sys/firmware/qemu_fw_cfg/by_name/opt/orlop/config");
    std::fs::create_dir_all(&item).expect("a folder");
    std::fs::write(item.join("new"), format!("{LEAST}{interfaces}")).expect("written");
    // Whole from the first look on.
    std::fs::rename(item.join("new"), item.join("raw")).expect("renamed");
}

/// The next one waits for a document again.
fn forget(lab: &Lab) {
    std::fs::remove_dir_all(lab.folder.path().join("sys/firmware/qemu_fw_cfg")).expect("removed");
    std::fs::remove_file(lab.run().join("config.toml")).expect("removed");
}

#[test]
fn a_card_that_leaves_the_plan_keeps_nothing() {
    lab::inside("a_card_that_leaves_the_plan_keeps_nothing", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        lab.card(1, &["198.51.100.1/24"]);
        as_a_node(&lab);
        let _first = lab.dnsmasq(0, &[&[FIRST], &ROUTER[..]].concat());
        let _second = lab.dnsmasq(1, &[SECOND]);
        let mut net = start(&lab, &["cl0", "cl1"]);
        lab.until_there("ip -4 address show dev cl1", "inet 198.51.100.5");
        lab.until_there("ip route show default", "default via 192.0.2.1 dev cl0");
        lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
        lab.until_there("ip -6 route show default", "dev cl0 proto ra");

        tell(&lab, "\n[[network.interfaces]]\nname = \"cl1\"\n");
        lab.ready(&mut net);
        let routes = lab.there("ip route show default");
        assert!(routes.starts_with("default via 198.51.100.1 dev cl1") && routes.lines().count() == 1, "{routes}");
        let has = lab.there("ip address show dev cl0");
        assert!(!has.contains("inet ") && !has.contains("scope global"), "{has}");
        let routes = lab.there("ip -6 route show default");
        assert!(!routes.contains("dev cl0"), "{routes}");
        assert_eq!(lab.there("cat /proc/sys/net/ipv6/conf/cl0/accept_ra").trim(), "0");
        assert!(!net.rest().contains("File exists"), "{}", net.rest());
    });
}

#[test]
fn what_routers_gave_goes_with_a_document_of_static_addresses_or_none() {
    lab::inside("what_routers_gave_goes_with_a_document_of_static_addresses_or_none", |lab| {
        lab.card(0, &["192.0.2.1/24", "2001:db8::1/64"]);
        as_a_node(&lab);
        let _server = lab.dnsmasq(0, &[&[FIRST], &ROUTER[..]].concat());
        let fixed = |six: &str| {
            let addresses = format!("addresses = [\"192.0.2.77/24\"{six}]");
            format!("\n[[network.interfaces]]\nname = \"cl0\"\n{addresses}\ngateway4 = \"192.0.2.1\"\n")
        };
        for six in ["", ", \"2001:db8::77/64\""] {
            let mut net = start(&lab, &["cl0"]);
            lab.until_there("ip -6 address show dev cl0", "scope global dynamic");
            lab.until_there("ip -6 route show default", "dev cl0 proto ra");
            tell(&lab, &fixed(six));
            lab.ready(&mut net);
            let has = lab.there("ip -6 address show dev cl0");
            assert!(!has.contains("dynamic"), "{six}: {has}");
            assert_eq!(has.contains("inet6 2001:db8::77/64 scope global"), !six.is_empty(), "{has}");
            let routes = lab.there("ip -6 route show");
            assert!(!routes.contains("proto ra") && !routes.contains("expires"), "{six}: {routes}");
            if !six.is_empty() {
                // Somebody else takes all of IPv6 away.
                let off = "net.ipv6.conf.cl0.disable_ipv6";
                lab.there(&format!("sysctl -qw {off}=1 {off}=0"));
                lab.until_there("ip -6 address show dev cl0", "inet6 2001:db8::77/64 scope global");
            }
            net.kill();
            forget(&lab);
        }
    });
}

/// As some hosters have it. This end speaks by an address that only the default route leads to.
#[test]
fn an_address_by_itself_has_a_router_that_a_route_has_on_the_link() {
    lab::inside("an_address_by_itself_has_a_router_that_a_route_has_on_the_link", |lab| {
        lab.card(0, &["172.31.1.1/32", "192.0.2.1/32", "2001:db8:1::1/128"]);
        lab.here("ip route add 203.0.113.7/32 dev srv0 src 192.0.2.1");
        let mut net = start(&lab, &["cl0"]);
        tell(
            &lab,
            "\n[[network.interfaces]]\nname = \"cl0\"\naddresses = [\"203.0.113.7/32\", \"2001:db8::7/128\"]\n\
             gateway4 = \"172.31.1.1\"\ngateway6 = \"2001:db8:1::1\"\n\
             routes = [{ to = \"198.51.100.0/24\", via = \"172.31.1.1\" }, { to = \"172.31.1.1/32\" }, \
             { to = \"2001:db8:1::1/128\" }]\n",
        );
        lab.ready(&mut net);
        let is_there = || {
            lab.until_there("ip route", "default via 172.31.1.1 dev cl0");
            lab.until_there("ip route", "198.51.100.0/24 via 172.31.1.1 dev cl0");
            lab.until_there("ip route", "\n172.31.1.1 dev cl0 proto 79 scope link");
            lab.until_there("ip -6 route", "default via 2001:db8:1::1 dev cl0");
            // kubelet's port is open, and nobody is there: the node's answer finds its way.
            let kubelet = "203.0.113.7:10250".parse().expect("an address");
            let answer = TcpStream::connect_timeout(&kubelet, Duration::from_secs(10)).map_err(|error| error.kind());
            assert_eq!(answer.map(drop), Err(ErrorKind::ConnectionRefused));
        };
        is_there();
        assert!(!net.rest().contains("net: kernel: "), "{}", net.rest());
        // The kernel forgets all routes of a card that is switched off.
        lab.there("ip link set cl0 down");
        is_there();
    });
}

#[test]
fn to_a_network_that_two_servers_name_leads_the_first_cards_route() {
    lab::inside("to_a_network_that_two_servers_name_leads_the_first_cards_route", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        lab.card(1, &["198.51.100.1/24"]);
        // A network twice, one by an address that no router has, and the rest.
        let routes = |by: &str| {
            let routes = [("10.0.0.0/8", 9), ("10.0.0.0/8", 7), ("203.0.113.0/24", 255), ("0.0.0.0/0", 1)];
            let routes = routes.map(|(to, last)| format!(",{to},{by}.{last}"));
            format!("--dhcp-option=option:classless-static-route{}", routes.concat())
        };
        let _first = lab.dnsmasq(0, &[FIRST, &routes("192.0.2")]);
        let _second = lab.dnsmasq(1, &[SECOND, &routes("198.51.100")]);
        let mut net = lab.net(&["--card", "cl0", "--card", "cl1"]);
        lab.ready(&mut net);
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        lab.until_there("ip -4 address show dev cl1", "inet 198.51.100.5");
        lab.until_there("ip route show 10.0.0.0/8", "10.0.0.0/8 via 192.0.2.9 dev cl0");
        let leases = format!("cat {}/lease.json", lab.run().display());
        for address in ["192.0.2.5", "198.51.100.5"] {
            lab.until_here(&leases, address);
        }
        lab.here("ip link set srv0 down");
        lab.until_there("ip route show 10.0.0.0/8", "10.0.0.0/8 via 198.51.100.9 dev cl1");
        let routes = lab.there("ip route");
        assert!(routes.matches("10.0.0.0/8").count() == 1 && !routes.contains("203.0.113.0"), "{routes}");
        assert!(!net.rest().contains("net: kernel: "), "{}", net.rest());
    });
}

#[test]
fn a_route_that_the_kernel_refuses_is_said_once_and_costs_nothing_else() {
    lab::inside("a_route_that_the_kernel_refuses_is_said_once_and_costs_nothing_else", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        // Somebody else's way to the same network, of the same metric.
        lab.there("ip link add other0 type veth peer name other1");
        lab.there("ip link set other0 up; ip link set other1 up; ip route add 10.0.0.0/8 dev other0 metric 100");
        let routes = "--dhcp-option=option:classless-static-route,10.0.0.0/8,192.0.2.9,0.0.0.0/0,192.0.2.1";
        let _server = lab.dnsmasq(0, &[FIRST, routes, "--dhcp-option=option:dns-server,192.0.2.1"]);
        let mut net = lab.net(&["--card", "cl0"]);
        let line = net.says("File exists");
        assert!(line.contains("net: kernel: cl0: route to 10.0.0.0/8 by 192.0.2.9: "), "{line}");
        lab.ready(&mut net);
        assert!(lab.there("ip route").contains("default via 192.0.2.1 dev cl0"));
        assert_eq!(lab.file("resolv.conf"), "nameserver 192.0.2.1\n");
        assert!(lab.file("lease.json").contains("192.0.2.5"), "{}", lab.file("lease.json"));
        // Each of these has the program look, and try again.
        for _ in 0..2 {
            lab.here("ip link set srv0 down");
            net.says("the carrier is gone");
            lab.here("ip link set srv0 up");
            net.says("the carrier is there");
        }
        lab.there("ip link delete other0");
        lab.until_there("ip route show 10.0.0.0/8", "10.0.0.0/8 via 192.0.2.9 dev cl0 proto 79");
        assert_eq!(net.rest().matches("File exists").count(), 1, "{}", net.rest());
    });
}

#[test]
fn a_card_that_refuses_its_settings_does_not_cost_the_other_its_network() {
    lab::inside("a_card_that_refuses_its_settings_does_not_cost_the_other_its_network", |lab| {
        lab.card(0, &["192.0.2.1/24"]);
        lab.card(1, &["198.51.100.1/24"]);
        let _first = lab.dnsmasq(0, &[FIRST]);
        let _second = lab.dnsmasq(1, &[SECOND]);
        // In place of the card's settings of IPv6 the program sees an empty folder.
        let line = "exec unshare --mount sh -c \
            'mount -t tmpfs none /proc/sys/net/ipv6/conf/cl1 && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
        let mut net = lab.net_through(line, &["--card", "cl1", "--card", "cl0"]);
        net.says("net: kernel: cl1: its settings of IPv6: No such file or directory");
        lab.ready(&mut net);
        lab.until_there("ip -4 address show dev cl0", "inet 192.0.2.5");
        lab.until_there("ip -4 address show dev cl1", "inet 198.51.100.5");
        lab.until_there("ip route show default", "default via 198.51.100.1 dev cl1");
    });
}
