//! Each rule: a change of the full document that breaks it, and what is said of that.

mod addresses;
mod containers;

use super::{changed, parse};

/// A change of the full document, the key that is wrong then, and what is said of it.
type Row = (&'static str, &'static str, &'static str, &'static str);

const WRONG: &[Row] = &[
    (
        "class = \"public\"",
        "class = \"restricted\"",
        "class",
        "2:9: class: `restricted` is asked for, and this image is of class `public`",
    ),
    (
        "\"node-1.example\"",
        "\"Node_1\"",
        "hostname",
        "3:12: hostname: `Node_1` is not a host name; it takes lowercase letters",
    ),
    (
        "\"node-1.example\"",
        "\"rack.12\"",
        "hostname",
        "`rack.12` is not a host name; it takes lowercase letters, digits and `-`, in parts with `.` between them, the last \
         part not a number",
    ),
    ("\"node-1.example\"", "\"localhost\"", "hostname", "`localhost` is not a host name; it takes lowercase letters"),
    (
        "52:54:00:12:34:56",
        "01:54:00:12:34:56",
        "network.interfaces[0].mac",
        "`01:54:00:12:34:56` is not a hardware address; write it as",
    ),
    (
        "192.0.2.10/24",
        "192.0.2.10",
        "network.interfaces[0].addresses[0]",
        "`192.0.2.10` is not an address with its prefix; write it as `192.0.2.10/24`",
    ),
    (
        "192.0.2.10/24",
        "192.0.2.10/33",
        "network.interfaces[0].addresses[0]",
        "`192.0.2.10/33` is not an address with its prefix",
    ),
    (
        "192.0.2.10/24",
        "192.0.2.255/24",
        "network.interfaces[0].addresses[0]",
        "`192.0.2.255/24` cannot be a machine's address",
    ),
    ("192.0.2.10/24", "192.0.2.1/24", "network.interfaces[0].gateway4", "`192.0.2.1` is this interface's own address"),
    (
        "192.0.2.10/24\"",
        "192.0.2.10/24\", \"192.0.2.10/25\"",
        "network.interfaces[0].addresses[1]",
        "`192.0.2.10` is there already; give each address once",
    ),
    (
        "gateway4 = \"192.0.2.1\"",
        "gateway4 = \"192.0.3.1\"",
        "network.interfaces[0].gateway4",
        "`192.0.3.1` is outside of the interface's networks; name a router in 192.0.2.0/24",
    ),
    (
        "192.0.2.10/24",
        "192.0.2.10/32",
        "network.interfaces[0].gateway4",
        "`192.0.2.1` is outside of the interface's networks; say that it is on this link: \
         `routes = [{ to = \"192.0.2.1/32\" }]`",
    ),
    (
        "192.0.2.10/24",
        "192.0.2.10/32",
        "network.interfaces[0].routes[0].via",
        "`192.0.2.254` is outside of the interface's networks; say that it is on this link: \
         `routes = [{ to = \"192.0.2.254/32\" }]`",
    ),
    (
        "192.0.2.10/24\"",
        "192.0.2.10/32\", \"203.0.113.9/25\"",
        "network.interfaces[0].gateway4",
        "`192.0.2.1` is outside of the interface's networks; name a router in 203.0.113.0/25",
    ),
    (
        "gateway4 = \"192.0.2.1\"",
        "gateway4 = \"127.0.0.1\"",
        "network.interfaces[0].gateway4",
        "`127.0.0.1` cannot be a router's address; name the next router on this link",
    ),
    (
        "gateway4 = \"192.0.2.1\"",
        "gateway4 = \"192.0.2.255\"",
        "network.interfaces[0].gateway4",
        "`192.0.2.255` is its network's first or last address, which no router has; name the router's address",
    ),
    (
        "\"192.0.2.254\"",
        "\"192.0.2.0\"",
        "network.interfaces[0].routes[0].via",
        "`192.0.2.0` is its network's first or last address",
    ),
    (
        "gateway4 = \"192.0.2.1\"",
        "gateway4 = \"192.0.2\"",
        "network.interfaces[0].gateway4",
        "invalid IPv4 address syntax (the value is `\"192.0.2\"`); write it as \"192.0.2.1\"",
    ),
    (
        "gateway6 = \"fe80::1\"",
        "gateway6 = \"2001:db8:1::1\"",
        "network.interfaces[0].gateway6",
        "`2001:db8:1::1` is outside of the interface's networks; name a router in 2001:db8::/64",
    ),
    (
        "\"198.51.100.0/24\"",
        "\"198.51.100.7/24\"",
        "network.interfaces[0].routes[0].to",
        "`198.51.100.7/24` has bits behind its prefix; write the network: \"198.51.100.0/24\"",
    ),
    (
        "to = \"198.51.100.0/24\", ",
        "",
        "network.interfaces[0].routes[0]",
        "missing key `to`; name the network that the route leads to",
    ),
    (
        "\"192.0.2.254\"",
        "\"2001:db8::1\"",
        "network.interfaces[0].routes[0].via",
        "`2001:db8::1` and `198.51.100.0/24` are not of one family",
    ),
    (
        "\"192.0.2.254\"",
        "\"203.0.113.1\"",
        "network.interfaces[0].routes[0].via",
        "`203.0.113.1` is outside of the interface's networks",
    ),
    (
        "via = \"192.0.2.254\" }",
        "via = \"192.0.2.254\" }, { to = \"198.51.100.0/24\", via = \"192.0.2.253\" }",
        "network.interfaces[0].routes[1].to",
        "a route to `198.51.100.0/24` is there already; keep one of them: one way leads to each network",
    ),
    (
        "default_route = false",
        "default_route = false\nroutes = [{ to = \"198.51.100.0/24\" }]",
        "network.interfaces[1].routes[0].to",
        "a route to `198.51.100.0/24` is there already",
    ),
    ("\"198.51.100.0/24\"", "\"0.0.0.0/0\"", "network.interfaces[0].routes", "a second default route for IPv4"),
    ("default_route = false", "", "network.interfaces[1].ipv4", "a second default route for IPv4"),
    ("default_route = false", "ipv4 = \"off\"", "network.interfaces[1].ipv6", "a second default route for IPv6"),
    (
        "gateway4 = \"192.0.2.1\"",
        "default_route = false",
        "network.interfaces[0].default_route",
        "the network is not asked for routes here",
    ),
    (
        "default_route = false",
        "default_route = false\ngateway4 = \"192.0.2.1\"",
        "network.interfaces[1].gateway4",
        "`192.0.2.1` is a gateway without a static address",
    ),
    (
        "mtu = 1400",
        "mtu = 1279",
        "network.interfaces[0].mtu",
        "1279 is not a size of packets; it takes 1280 to 9216, with IPv6",
    ),
    (
        "mtu = 1400",
        "mtu = 70000",
        "network.interfaces[0].mtu",
        "`70000` is out of range; write a whole number from 1280 to 9216, from 576 without IPv6",
    ),
    ("mtu = 1400", "mtu = -1", "network.interfaces[0].mtu", "a number below 0, expected one of 0 or more"),
    (
        "mtu = 1400",
        "mtu = 99999999999999999999",
        "network.interfaces[0].mtu",
        "expected a smaller number, found an integer",
    ),
    ("mtu = 1400", "mtu = 1400.0", "network.interfaces[0].mtu", "expected an integer, found a float"),
    (
        "mtu = 1400",
        "mtu = 1400\nipv4 = \"dhcp\"",
        "network.interfaces[0].ipv4",
        "addresses are given, and `ipv4` is not static",
    ),
    (
        "name = \"eth1\"",
        "name = \"eth1\"\nipv4 = \"static\"",
        "network.interfaces[1].ipv4",
        "`ipv4` is static, and no address is given; add them to `addresses`",
    ),
    (
        "name = \"eth1\"",
        "name = \"eth1\"\nmac = \"52:54:00:12:34:57\"",
        "network.interfaces[1]",
        "it has both `name` and `mac`, or neither",
    ),
    ("name = \"eth1\"", "", "network.interfaces[1]", "it has both `name` and `mac`, or neither"),
    (
        "name = \"eth1\"",
        "mac = \"52:54:00:12:34:56\"",
        "network.interfaces[1]",
        "it is there already, as number 1; name it once",
    ),
    ("name = \"eth1\"", "name = \"lo\"", "network.interfaces[1].name", "`lo` is not the name of an Ethernet interface"),
    ("name = \"eth1\"", "name = \"eth1/../x\"", "network.interfaces[1].name", "VLANs are not done yet"),
    (
        "name = \"eth1\"",
        "name = \"eth1.20\"",
        "network.interfaces[1].name",
        "`eth1.20`: VLANs are not done yet; give the machine a plain Ethernet interface",
    ),
    ("name = \"eth1\"", "name = \"bond0\"", "network.interfaces[1].name", "`bond0`: bonds are not done yet"),
    ("mtu = 1400", "vlan = 20", "network.interfaces[0].vlan", "VLANs are not done yet"),
    ("[network]", "[[network.vlans]]\nid = 20\n[network]", "network.vlans", "VLANs are not done yet"),
    ("[network]", "[network]\nbonds = []", "network.bonds", "bonds are not done yet"),
    ("\"192.0.2.53\"", "\"0.0.0.0\"", "network.dns[0]", "`0.0.0.0` cannot be a name server's address"),
    ("\"192.0.2.53\"", "\"255.255.255.255\"", "network.dns[0]", "`255.255.255.255` cannot be a name server's"),
    (
        "\"192.0.2.53\"",
        "\"fe80::1\"",
        "network.dns[0]",
        "`fe80::1` cannot be a name server's address; name one that this machine can reach",
    ),
    (
        "\"192.0.2.53\"",
        "\"dns.example\"",
        "network.dns[0]",
        "invalid IP address syntax (the value is `\"dns.example\"`)",
    ),
    (
        "\"192.0.2.53\"",
        "\"192.0.2.53\", \"192.0.2.54\", \"192.0.2.55\"",
        "network.dns",
        "4 name servers are named; name 3 at most",
    ),
    (
        "\"example.org\"]",
        "\"example.org\", \"Example.ORG\"]",
        "network.search[1]",
        "it is there already, as number 1; name it once",
    ),
    ("\"example.org\"]", "\"example_org\"]", "network.search[0]", "`example_org` is not a domain"),
    (
        "\"example.org\"]",
        "\"1\"]",
        "network.search[0]",
        "`1` is not a domain; write it as \"example.org\", the last part not a",
    ),
    (
        "\"ntp.example.org\"",
        "\"ntp.example.org:123\"",
        "time.servers[0]",
        "`ntp.example.org:123` is neither a name nor an address",
    ),
    (
        "\"ntp.example.org\"",
        "\"::\"",
        "time.servers[0]",
        "`::` cannot be a time server's address; name one that this machine can reach",
    ),
    ("\"ntp.example.org\"", "\"224.0.0.1\"", "time.servers[0]", "`224.0.0.1` cannot be a time server's address"),
    ("\"ntp.example.org\"", "\"fe80::123\"", "time.servers[0]", "`fe80::123` cannot be a time server's address"),
    ("\"ntp.example.org\"", "\"192.0.2.123\"", "time.servers[1]", "it is there already, as number 1"),
    ("\"http://proxy", "\"proxy", "proxy.http", "it is not a proxy's address"),
    (
        "builder:hunter2@",
        "builder:hunt#r2@",
        "proxy.https",
        "its user name or password is not written as a URL has it; write all but letters, digits and",
    ),
    ("builder:hunter2@", "builder:50%off@", "proxy.https", "not written as a URL has it; write all but letters"),
    ("builder:hunter2@", "builder:hunt?r@2@", "proxy.https", "`%40` for `@`, `%23` for `#`, `%25` for `%`"),
    ("\".example.org\"]", "\"a b\"]", "proxy.exceptions[1]", "`a b` is not an exception that programs understand"),
    (
        "\".example.org\"]",
        "\"[2001:db8::1]\"]",
        "proxy.exceptions[1]",
        "`[2001:db8::1]` is not an exception that programs understand; write it without brackets: \"2001:db8::1\"",
    ),
    (
        "https://api.example.org:6443",
        "http://api.example.org:6443",
        "cluster.server",
        "would send the token to anybody who asks",
    ),
    (
        "https://api.example.org:6443",
        "api.example.org:6443",
        "cluster.server",
        "`api.example.org:6443` does not begin with `https://`",
    ),
    (
        "https://api.example.org:6443",
        "https://api.example.org:99999",
        "cluster.server",
        "is not the address of an API server",
    ),
    (
        "https://api.example.org:6443",
        "https://api.example.org?x",
        "cluster.server",
        "is not the address of an API server",
    ),
    (
        "https://api.example.org:6443",
        "https://api.example.org:6443/k8s",
        "cluster.server",
        "`https://api.example.org:6443/k8s` is not the address of an API server; write it as \"https://api.example:6443\", \
         without a path",
    ),
    ("https://api.example.org:6443", "https://api.example.org/", "cluster.server", "not the address of an API server"),
    (
        "server = \"https://api.example.org:6443\"\n",
        "",
        "cluster",
        "missing key `server`; name the API server: `server = \"https://api.example:6443\"`",
    ),
    (
        "\"node-1.example\"",
        "\"node-2.example\"",
        "cluster.client_certificate",
        "it is of the node `node-1.example`, and this machine is `node-2.example`; give the one of `system:node:node-2.example`",
    ),
    ("[\"10.96.0.10\"]", "\"10.96.0.10\"", "cluster.dns", "expected a list, found a string; write it in brackets"),
    ("[\"10.96.0.10\"]", "[\"fe80::a\"]", "cluster.dns[0]", "`fe80::a` cannot be a service's address"),
    ("[\"10.96.0.10\"]", "[\"127.0.0.1\"]", "cluster.dns[0]", "`127.0.0.1` cannot be a service's address"),
    ("\"cluster.example\"", "\"cluster/example\"", "cluster.domain", "`cluster/example` is not a domain"),
    (
        "\"cluster.example\"",
        "\"1\"",
        "cluster.domain",
        "`1` is not a domain; write it as \"cluster.local\", the last part not a",
    ),
    (
        "\"192.0.2.0/24\", \"2001",
        "\"192.0.2.7/24\", \"2001",
        "cluster.networks[0]",
        "`192.0.2.7/24` has bits behind its prefix; write the network: \"192.0.2.0/24\"",
    ),
    (
        "\"192.0.2.0/24\", \"2001",
        "\"0.0.0.0/0\", \"2001",
        "cluster.networks[0]",
        "`0.0.0.0/0` is larger than any cluster; name the cluster's own networks, of /8 at least",
    ),
    (
        "\"2001:db8::/32\"",
        "\"2000::/3\"",
        "cluster.networks[1]",
        "`2000::/3` is larger than any cluster; name the cluster's own networks, of /16",
    ),
    (
        "\"2001:db8::/32\"",
        "\"127.0.0.0/8\"",
        "cluster.networks[1]",
        "`127.0.0.0/8` is no network of other machines; name the networks of nodes",
    ),
    ("\"2001:db8::/32\"", "\"192.0.2.0/24\"", "cluster.networks[1]", "it is there already, as number 1"),
    ("\"2001:db8::/32\"", "\"node-2\"", "cluster.networks[1]", "`node-2` is not an address with its prefix"),
    (
        "\"topology.kubernetes.io/zone\"",
        "\"node-role.kubernetes.io/worker\"",
        "labels.\"node-role.kubernetes.io/worker\"",
        "`node-role.kubernetes.io/worker` is a label that the API takes from no node",
    ),
    (
        "\"topology.kubernetes.io/zone\"",
        "\"node-restriction.kubernetes.io/a\"",
        "labels.\"node-restriction.kubernetes.io/a\"",
        "is a label that the API takes from no node",
    ),
    (
        "\"topology.kubernetes.io/zone\"",
        "\"k8s.io/a\"",
        "labels.\"k8s.io/a\"",
        "`k8s.io/a` is a label that the API takes from no node",
    ),
    (
        "\"topology.kubernetes.io/zone\"",
        "\"kubernetes.io/hostname\"",
        "labels.\"kubernetes.io/hostname\"",
        "`kubernetes.io/hostname` is kubelet's own label",
    ),
    ("\"topology.kubernetes.io/zone\"", "\"a/b/c\"", "labels.\"a/b/c\"", "`a/b/c` is not the key of a label"),
    (
        "\"17\"",
        "17",
        "labels.\"example.org/rack\"",
        "expected a string, found an integer; write it in quotes: `\"TEXT\"`",
    ),
    ("\"17\"", "\"17,x=y\"", "labels.\"example.org/rack\"", "`17,x=y` is not the value of a label"),
    ("key = \"example.org/dedicated\"", "", "taints[0]", "missing key `key`; name the taint: `key = "),
    ("effect = \"NoSchedule\"", "", "taints[0]", "missing key `effect`; write `NoSchedule`, `PreferNoSchedule` or"),
    ("[[taints]]", "[taints]", "taints", "expected a list, found a table; write its header with two brackets"),
    (
        "key = \"example.org/dedicated\"",
        "key = \"example.org/\"",
        "taints[0].key",
        "`example.org/` is not the key of a taint",
    ),
    ("value = \"gpu\"", "value = \"g p u\"", "taints[0].value", "`g p u` is not the value of a taint"),
    (
        "[kubelet]",
        "[[taints]]\nkey = \"example.org/dedicated\"\neffect = \"NoSchedule\"\n[kubelet]",
        "taints[1].key",
        "with effect NoSchedule is there already",
    ),
    (
        "max_pods = 60",
        "max_pods = \"60\"",
        "kubelet.max_pods",
        "expected an integer, found a string; write a whole number from 1 to 500, without quotes",
    ),
    (
        "max_pods = 60",
        "max_pods = -1",
        "kubelet.max_pods",
        "a number below 0, expected one of 0 or more; write a whole",
    ),
    (
        "eviction.memory_available_mib = 200",
        "eviction = 200",
        "kubelet.eviction",
        "a table, found an integer; write what",
    ),
    ("max_pods = 60", "max_pods = 0", "kubelet.max_pods", "0 is out of range; it takes 1 to 500"),
    (
        "shutdown_grace_period_seconds = 60",
        "shutdown_grace_period_seconds = 10",
        "kubelet.shutdown_grace_period_critical_pods_seconds",
        "10 of 10 seconds are critical pods'",
    ),
    (
        "max_pods = 60",
        "image_gc_low_percent = 85",
        "kubelet.image_gc_low_percent",
        "from 85 % down to 85 %, which is not less",
    ),
    (
        "cpu_millis = 200",
        "cpu_millis = 20000",
        "kubelet.kube_reserved.cpu_millis",
        "20000 is out of range; it takes 50 to 16000",
    ),
];

/// The keys of the top.
const TOP: [&str; 13] = [
    "class",
    "hostname",
    "extra_cas",
    "network",
    "time",
    "proxy",
    "cluster",
    "labels",
    "taints",
    "kubelet",
    "registries",
    "static_pods",
    "sysctls",
];

#[test]
fn every_rule_has_its_error_with_its_key_and_place() {
    for (from, to, key, expected) in WRONG.iter().chain(addresses::WRONG).chain(containers::WRONG) {
        let text = changed(from, to);
        let problems = parse(&text).expect_err(&text);
        for mistake in &problems.0 {
            assert!(mistake.next.as_ref().is_some_and(|next| !next.is_empty()), "what is to be done? {mistake}");
        }
        let error = problems.to_string();
        let says = |line: &str| line.contains(&format!(": {key}: ")) && line.contains(expected);
        assert!(error.lines().any(says), "{from} → {to}:\n{error}\nhas no\n{key}: … {expected}");
        for line in error.lines() {
            let mut parts = line.splitn(4, ':').skip(1).map(str::to_owned);
            let number = |part: Option<String>| part.and_then(|part| part.parse::<usize>().ok()).expect("a number");
            let (line_number, column) = (number(parts.next()), number(parts.next()));
            let at = text.lines().nth(line_number - 1).unwrap_or_else(|| panic!("no such line: {line}"));
            assert!(line_number > 1 && column <= at.chars().count() + 1, "{line}");
            let rest = parts.next().unwrap_or_default();
            let (key, _) = rest.trim_start().split_once(": ").unwrap_or_else(|| panic!("no key: {line}"));
            let first = key.split(['.', '[']).next().unwrap_or_default();
            assert!(TOP.contains(&first), "no key: {line}");
        }
    }
}
