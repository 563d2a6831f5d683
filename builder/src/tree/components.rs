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
    /// What took part in the build beside the components. Images of earlier builders do not say it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputRecord>,
    /// Component of this repository's own → lines of its source, without tests, comments and blank lines. Images of earlier
    /// builders do not say it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<String, u64>,
    /// Path (files and links) → component.
    pub paths: BTreeMap<String, String>,
}

/// What a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// The lockfile's word for where it came from: `deb`, `go`, `workspace` and so on; `image` for what the builder rendered.
    /// Images of earlier builders do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Upstream's name.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Archive label, suite and pool path; module@version; URL; or path beside the definition.
    pub origin: String,
    /// SHA-256 of the input as fetched.
    pub sha256: String,
}

/// What took part in the build: a toolchain, a tool, a library. Its name in the document is the lockfile's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// As in [`ComponentRecord`].
    pub kind: String,
    /// Upstream's name.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// As in [`ComponentRecord`].
    pub origin: String,
    /// SHA-256 of the input as fetched.
    pub sha256: String,
    /// Whether its code is linked into what it was used for: a library.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub linked: bool,
    /// The components that it was used for; none where it was used for the image itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
}

/// What the document says beside the paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Component → what it is.
    pub components: BTreeMap<String, ComponentRecord>,
    /// Input → what it is.
    pub inputs: BTreeMap<String, InputRecord>,
    /// Component of this repository's own → lines of its source.
    pub lines: BTreeMap<String, u64>,
}

/// The document for a tree. `made_of` names the component of what the builder packed out of one.
pub fn components(tree: &Tree, records: Records, made_of: &BTreeMap<String, String>) -> Components {
    let paths = tree
        .iter()
        .filter(|(_, entry)| !matches!(entry.node, Node::Folder { .. }))
        .map(|(path, entry)| (path.to_owned(), made_of.get(path).unwrap_or(&entry.component).clone()))
        .collect();
    let Records { mut components, inputs, lines } = records;
    components.insert(
        IMAGE.into(),
        ComponentRecord {
            kind: Some(IMAGE.into()),
            name: "rendered by orlop".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            origin: "image definition".into(),
            sha256: String::new(),
        },
    );
    Components { version: 1, components, inputs, lines, paths }
}
