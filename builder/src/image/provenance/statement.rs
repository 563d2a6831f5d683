//! The document: in-toto's Statement, SLSA's predicate, and the parameters of Orlop's builds in it.
//!
//! Fields that these formats may gain later are left aside, as they ask; of the parameters that a user gives an unknown one is an
//! error (SLSA, "Verifying artifacts"): it may mean that the build was another one than it seems.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A statement about software, by its digests (`spec/v1/statement.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement<P> {
    /// [`super::STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about.
    pub subject: Vec<Resource>,
    /// [`super::PREDICATE_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it says.
    pub predicate: P,
}

/// A piece of software (`spec/v1/resource_descriptor.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name in the statement.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its name in the world: a package URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Algorithm → digest, lowercase hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// What else is known of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// Where the lockfile has it from: archive, suite and pool path; module@version; URL; or a path beside the definition.
    #[serde(default, rename = "orlop_origin", skip_serializing_if = "String::is_empty")]
    pub origin: String,
}

impl Annotations {
    fn is_empty(&self) -> bool {
        self.origin.is_empty()
    }
}

impl Resource {
    /// A resource by name and digest.
    pub fn new(name: impl Into<String>, algorithm: &str, digest: &str) -> Self {
        let digest = [(algorithm.to_owned(), digest.to_owned())].into();
        Resource { name: name.into(), digest, ..Resource::default() }
    }
}

/// SLSA's predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was asked for.
    pub build_definition: BuildDefinition,
    /// Who did it.
    pub run_details: RunDetails,
}

/// What was asked for, and what was taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// [`super::BUILD_TYPE`].
    pub build_type: String,
    /// What the user gave.
    pub external_parameters: ExternalParameters,
    /// What the builder decided.
    pub internal_parameters: InternalParameters,
    /// Every input, by name.
    pub resolved_dependencies: Vec<Resource>,
}

/// What the user gave: no other thing of theirs has a part in the image's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalParameters {
    /// The image definition.
    pub definition: Definition,
    /// SHA-256 of the lockfile's bytes.
    pub lockfile_sha256: String,
    /// Seconds since 1970 of every time in the image. An input, and no time of the build.
    pub source_date_epoch: u64,
    /// The release keys that the image trusts, as [`crate::formats::dsse::keyid`] calls them; the first one signs.
    pub release_keys: Vec<String>,
    /// SHA-256 of the certificates (DER) that the firmware may hold; the first one's key signs.
    pub certificates: Vec<String>,
}

/// The image definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Image name.
    pub name: String,
    /// Image version.
    pub version: String,
    /// SHA-256 of what it says after `extends` was resolved, as the release manifest has it.
    pub sha256: String,
    /// The texts that it was read from, the one that was asked for first: file name, SHA-256.
    pub files: Vec<Resource>,
}

/// What the builder decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InternalParameters {
    /// `x86_64`.
    pub architecture: String,
    /// What Orlop's own programs of the node were compiled for.
    pub rust_target: String,
    /// The profile that they were compiled by.
    pub rust_profile: String,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The builder.
    pub builder: Builder,
}

/// The builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// [`super::BUILDER_ID`].
    pub id: String,
    /// `orlop` → its version.
    pub version: BTreeMap<String, String>,
}
