//! What a cluster's node lets in and through, as data: the signed definition says which ports are open, the node config
//! from which networks the cluster comes. `orlop-net` writes the rules for the kernel, `orlop config render` shows them.

mod ports;
mod rule;
mod rules;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use ports::{Ports, Protocol};
pub use rule::{Chain, Match, Rule, Verdict};
pub use rules::{KUBELET, closed, joined};

/// An address with the bits of its network.
pub type Network = (IpAddr, u8);

/// What the signed definition opens beyond what every node of a cluster has open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Openings {
    /// Ports that everybody may reach.
    pub open: Vec<Ports>,
    /// Ports that the networks of the node config's `cluster.networks` may reach.
    pub open_to_cluster: Vec<Ports>,
    /// Pods may reach the clouds' metadata.
    pub pods_reach_metadata: bool,
}

impl Openings {
    /// Nothing is opened: what a document that says nothing of it means.
    pub fn is_none(&self) -> bool {
        *self == Openings::default()
    }
}
