//! What objects of the cluster say of themselves.

use std::net::IpAddr;

use serde_json::Value;

use super::Kubectl;
use crate::{Error, Result};

/// An object's condition of this type: `condition(&node, "Ready")`.
#[must_use]
pub fn condition<'o>(object: &'o Value, name: &str) -> Option<&'o Value> {
    object["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == name)
}

/// A node's address in the cluster.
pub(super) fn internal_address(node: &Value) -> Option<&str> {
    let addresses = node["status"]["addresses"].as_array()?;
    addresses.iter().find(|one| one["type"] == "InternalIP")?["address"].as_str()
}

impl Kubectl {
    /// A node's address as the cluster knows it.
    pub fn node_address(&self, name: &str) -> Result<IpAddr> {
        address(&format!("node {name}"), internal_address(&self.get(&["node", name])?))
    }

    /// The address of a pod that has one.
    pub fn pod_address(&self, name: &str) -> Result<IpAddr> {
        address(&format!("pod {name}"), self.get(&["pod", name])?["status"]["podIP"].as_str())
    }
}

fn address(of: &str, found: Option<&str>) -> Result<IpAddr> {
    let found = found.ok_or_else(|| Error::Lab(format!("the {of} has no address")))?;
    found.parse().map_err(|error| Error::Lab(format!("the {of} has the address `{found}`: {error}")))
}
