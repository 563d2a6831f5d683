//! The node config that brings every key into kubelet's configuration.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::node_config::{Cluster, Effect, Kubelet, Network, NodeConfig, Proxy, Taint, Time, VERSION};

/// Field by field: with a new one this does not compile until somebody has looked whether kubelet gets a key by it.
pub(super) fn node_config() -> NodeConfig {
    NodeConfig {
        version: VERSION,
        class: None,
        hostname: None,
        network: Network::default(),
        time: Time::default(),
        proxy: Proxy::default(),
        cluster: Cluster {
            server: String::new(),
            ca: String::new(),
            token: None,
            client_certificate: None,
            client_key: None,
            networks: Vec::new(),
            dns: vec![Ipv4Addr::LOCALHOST.into()],
            domain: String::new(),
        },
        labels: BTreeMap::new(),
        taints: vec![Taint { key: String::new(), value: String::new(), effect: Effect::NoSchedule }],
        kubelet: Kubelet::default(),
        registries: BTreeMap::new(),
        extra_cas: Vec::new(),
        static_pods: BTreeMap::new(),
        sysctls: BTreeMap::new(),
    }
}
