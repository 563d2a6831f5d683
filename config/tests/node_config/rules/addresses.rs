//! Addresses that no server is reached by.

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
];
