//! What a machine of the lab is told at boot: the node config (docs/node-config.md), made of the control plane's values.

use super::ControlPlane;
use super::network::{CLUSTER_DNS, CLUSTER_DOMAIN, HOST};
use super::registry::NAME;
use crate::Result;

/// A node config in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// The node's name.
    pub hostname: String,
    /// The API server.
    pub server: String,
    /// The cluster's authority, PEM.
    pub ca: String,
    /// The bootstrap token; absent: none is given.
    pub token: Option<String>,
    /// Whether the lab's registry is the mirror of `registry.lab.test`, over plain HTTP.
    pub mirror: bool,
    /// Further keys of the document's top, as TOML.
    pub top: String,
    /// Further tables, as TOML.
    pub tables: String,
}

impl ControlPlane {
    /// What the machine that is to be the node `hostname` is told.
    pub fn node_config(&self, hostname: &str) -> Result<NodeConfig> {
        Ok(NodeConfig {
            hostname: hostname.into(),
            server: self.server.clone(),
            ca: self.authority.certificate()?,
            token: Some(self.token.text()),
            mirror: true,
            top: String::new(),
            tables: String::new(),
        })
    }
}

impl NodeConfig {
    /// The document.
    #[must_use]
    pub fn text(&self) -> String {
        let NodeConfig { hostname, server, ca, top, tables, .. } = self;
        let token = self.token.as_ref().map(|token| format!("token = \"{token}\"\n")).unwrap_or_default();
        let mirror = if self.mirror {
            format!("\n[[registries.\"{NAME}\".mirrors]]\nurl = \"http://{HOST}:5000\"\ninsecure = true\n")
        } else {
            String::new()
        };
        format!(
            "version = 1\nhostname = \"{hostname}\"\n{top}\n[cluster]\nserver = \"{server}\"\nca = '''\n{ca}'''\n{token}\
             dns = [\"{CLUSTER_DNS}\"]\ndomain = \"{CLUSTER_DOMAIN}\"\n{mirror}{tables}"
        )
    }
}
