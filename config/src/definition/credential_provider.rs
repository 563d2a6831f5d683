//! Programs that kubelet asks for the credentials of registries (kubelet's credential provider API, version 1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kubelet has beside its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Kubelet {
    /// Name → program that kubelet asks for credentials.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credential_providers: BTreeMap<String, CredentialProvider>,
}

/// A program that kubelet starts before it pulls an image that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialProvider {
    /// The program in the root: a file that a component installs.
    pub program: String,
    /// Images that it has credentials for: `HOST[:PORT][/PATH]`, `*` for a part of the host's name.
    pub match_images: Vec<String>,
    /// How long its answer holds when it does not say so itself; 0: it is asked each time.
    #[serde(default = "cache_seconds")]
    pub cache_seconds: u32,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its environment, beside kubelet's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

fn cache_seconds() -> u32 {
    300
}
