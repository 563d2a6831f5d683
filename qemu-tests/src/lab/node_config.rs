//! What a machine of the lab is told at boot: the node config (docs/node-config.md), made of the control plane's values.

use std::collections::BTreeMap;

use super::network::{CLUSTER, CLUSTER_DNS, CLUSTER_DOMAIN};
use super::registry::{GUARDED, NAME};
use super::{ControlPlane, Registry};
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
    /// A client certificate with its key, PEM, in place of a token.
    pub client: Option<(String, String)>,
    /// The authority of the lab's registry, PEM; absent: nothing is said of that registry.
    pub registry_ca: Option<String>,
    /// Further keys of the document's top, as TOML.
    pub top: String,
    /// The cluster's domain.
    pub domain: String,
    /// The node's labels.
    pub labels: BTreeMap<String, String>,
    /// Further tables, as TOML.
    pub tables: String,
}

impl ControlPlane {
    /// What the machine that is to be the node `hostname` is told, with the registry that it pulls from.
    pub fn node_config(&self, hostname: &str, registry: &Registry) -> Result<NodeConfig> {
        Ok(NodeConfig {
            hostname: hostname.into(),
            server: self.server.clone(),
            ca: self.authority.certificate()?,
            token: Some(self.token.text()),
            client: None,
            registry_ca: Some(registry.authority.certificate()?),
            top: String::new(),
            domain: CLUSTER_DOMAIN.into(),
            labels: BTreeMap::new(),
            tables: String::new(),
        })
    }
}

impl NodeConfig {
    /// The document.
    #[must_use]
    pub fn text(&self) -> String {
        let NodeConfig { hostname, server, ca, top, domain, tables, .. } = self;
        let token = self.token.as_ref().map(|token| format!("token = \"{token}\"\n")).unwrap_or_default();
        let client = self.client.as_ref().map(|(certificate, key)| {
            format!("client_certificate = '''\n{certificate}'''\nclient_key = '''\n{key}'''\n")
        });
        let right = token + &client.unwrap_or_default();
        let registry = self.registry_ca.as_ref();
        let trusted =
            |ca: &String| [NAME, GUARDED].map(|host| format!("\n[registries.\"{host}\"]\nca = '''\n{ca}'''\n"));
        let registry = registry.map(|ca| trusted(ca).concat()).unwrap_or_default();
        let labels: String = self.labels.iter().map(|(key, value)| format!("{key:?} = {value:?}\n")).collect();
        format!(
            "version = 1\nhostname = \"{hostname}\"\n{top}\n[cluster]\nserver = \"{server}\"\nca = '''\n{ca}'''\n{right}\
             dns = [\"{CLUSTER_DNS}\"]\ndomain = \"{domain}\"\nnetworks = {CLUSTER:?}\n{registry}\n[labels]\n{labels}{tables}"
        )
    }
}

#[cfg(test)]
mod tests {
    use orlop_config::node::{Allowance, NodeConfigPolicy};

    use super::*;
    use crate::lab::pki::Authority;

    #[test]
    fn it_is_a_node_config_as_the_node_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Authority::new(folder.path(), "ca").unwrap().certificate().unwrap();
        let mut config = NodeConfig {
            hostname: "one".into(),
            server: "https://192.0.2.1:6443".into(),
            registry_ca: Some(ca.clone()),
            ca,
            token: Some("lab001.0123456789abcdef".into()),
            client: None,
            top: "class = \"public\"\n".into(),
            domain: "cluster.example".into(),
            labels: BTreeMap::from([("zone".into(), "a".into())]),
            tables: "\n[network]\n".into(),
        };
        let allow = vec![Allowance::ExtraCas];
        let policy = NodeConfigPolicy { class: "public".into(), allow, ..NodeConfigPolicy::default() };
        let read = |config: &NodeConfig| {
            orlop_config::node_config::NodeConfig::parse(config.text().as_bytes(), "lab", &policy)
        };
        let found = read(&config).unwrap();
        assert_eq!((found.hostname.as_deref(), found.cluster.server.as_str()), (Some("one"), config.server.as_str()));
        assert_eq!(found.cluster.domain, config.domain);
        assert!([NAME, GUARDED].iter().all(|host| found.registries[*host].ca.is_some()) && found.labels["zone"] == "a");
        config.token = None;
        assert!(read(&config).is_err(), "neither token nor certificate");
    }
}
