//! `/usr/share/orlop/components.json`: which component a path belongs to, and what that component is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IMAGE, Node, Tree};

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    /// Format version, first: 1.
    pub version: u32,
    /// Component → what it is.
    pub components: BTreeMap<String, ComponentRecord>,
    /// Path (files and links) → component.
    pub paths: BTreeMap<String, String>,
}

/// What a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// Upstream's name.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Archive label, suite and pool path; module@version; URL; or path beside the definition.
    pub origin: String,
    /// SHA-256 of the input as fetched.
    pub sha256: String,
}

/// Renders the document for a tree. `made_of` names the component of what the builder packed out of one.
pub fn render(tree: &Tree, records: BTreeMap<String, ComponentRecord>, made_of: &BTreeMap<String, String>) -> Vec<u8> {
    let paths = tree
        .iter()
        .filter(|(_, entry)| !matches!(entry.node, Node::Folder { .. }))
        .map(|(path, entry)| (path.to_owned(), made_of.get(path).unwrap_or(&entry.component).clone()))
        .collect();
    let mut components = records;
    components.insert(
        IMAGE.into(),
        ComponentRecord {
            name: "rendered by orlop".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            origin: "image definition".into(),
            sha256: String::new(),
        },
    );
    let document = Components { version: 1, components, paths };
    let mut bytes = serde_json::to_vec(&document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
