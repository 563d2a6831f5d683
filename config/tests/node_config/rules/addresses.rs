//! Addresses that no server is reached by, and those of IPv4 in the form of IPv6.

use super::Row;

/// As those of the node itself.
pub(super) const WRONG: &[Row] = &[
    (
        "https://api.example.org:6443",
        "https://0.0.0.0:6443",
        "cluster.server",
        "`https://0.0.0.0:6443` cannot be an API server's address; name one that this machine can reach",
    ),
    (
        "https://api.example.org:6443",
        "https://[::]",
        "cluster.server",
        "`https://[::]` cannot be an API server's address",
    ),
    (
        "https://api.example.org:6443",
        "https://[fe80::1]:6443",
        "cluster.server",
        "`https://[fe80::1]:6443` cannot be an API server's address",
    ),
    (
        "http://proxy.example.org:3128\"\nhttps",
        "http://224.0.0.1:3128\"\nhttps",
        "proxy.http",
        "it cannot be a proxy's address; name one that this machine can reach",
    ),
    (
        "hunter2@proxy.example.org:3128",
        "hunter2@[ff02::1]:3128",
        "proxy.https",
        "it cannot be a proxy's address; name one that this machine can reach",
    ),
    (
        "https://mirror.example.org/hub",
        "https://255.255.255.255/hub",
        "registries.\"docker.io\".mirrors[0].url",
        "`https://255.255.255.255/hub` cannot be a mirror's address; name one that this machine can reach",
    ),
    (
        "http://192.0.2.1:5000",
        "http://0.0.0.0:5000",
        "registries.\"docker.io\".mirrors[1].url",
        "`http://0.0.0.0:5000` cannot be a mirror's address",
    ),
    (
        "2001:db8::10/64",
        "::ffff:192.0.2.11/120",
        "network.interfaces[0].addresses[1]",
        "`::ffff:192.0.2.11/120` is an address of IPv4 in the form of IPv6; write it as `192.0.2.11/24`",
    ),
    (
        "gateway6 = \"fe80::1\"",
        "gateway6 = \"::ffff:192.0.2.1\"",
        "network.interfaces[0].gateway6",
        "`::ffff:192.0.2.1` is an address of IPv4 in the form of IPv6; write `gateway4 = \"192.0.2.1\"`",
    ),
    (
        "\"192.0.2.254\"",
        "\"::ffff:192.0.2.254\"",
        "network.interfaces[0].routes[0].via",
        "`::ffff:192.0.2.254` is an address of IPv4 in the form of IPv6; write \"192.0.2.254\"",
    ),
    (
        "\"198.51.100.0/24\"",
        "\"::ffff:198.51.100.0/120\"",
        "network.interfaces[0].routes[0].to",
        "`::ffff:198.51.100.0/120` is an address of IPv4 in the form of IPv6; write it as `198.51.100.0/24`",
    ),
    (
        "\"192.0.2.53\"",
        "\"::ffff:192.0.2.53\"",
        "network.dns[0]",
        "`::ffff:192.0.2.53` is an address of IPv4 in the form of IPv6; write \"192.0.2.53\"",
    ),
    (
        "\"192.0.2.123\"",
        "\"::ffff:192.0.2.123\"",
        "time.servers[1]",
        "`::ffff:192.0.2.123` is an address of IPv4 in the form of IPv6; write \"192.0.2.123\"",
    ),
    (
        "[\"10.96.0.10\"]",
        "[\"::ffff:10.96.0.10\"]",
        "cluster.dns[0]",
        "`::ffff:10.96.0.10` is an address of IPv4 in the form of IPv6; write \"10.96.0.10\"",
    ),
    (
        "\"192.0.2.0/24\", \"2001",
        "\"::ffff:192.0.2.0/120\", \"2001",
        "cluster.networks[0]",
        "`::ffff:192.0.2.0/120` is an address of IPv4 in the form of IPv6; write it as `192.0.2.0/24`",
    ),
];
