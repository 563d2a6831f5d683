//! The lockfile: `images/NAME.lock`, every input with version, origin and SHA-256.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod document;
mod request;

pub use document::{LockError, parse, render};
pub use request::{request_digest_input, toolchains};

/// Version of the lockfile's format.
pub const VERSION: u32 = 1;

/// A lockfile. Tables are sorted by name, so that a diff shows what changed and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockfile {
    /// Format version, first.
    pub version: u32,
    /// Image name of the definition that it belongs to.
    pub definition: String,
    /// SHA-256 over what the definition asks for (its sources and toolchains): another definition, or a
    /// changed one, does not match.
    pub request: String,
    /// Seconds since 1970 of every time in the image: the newest `Date:` of the signed indexes.
    pub epoch: u64,
    /// Input name → input. A component's own input has the component's name; `toolchain.go`, `toolchain.zig`,
    /// `tool.erofs-utils`, `tool.erofs-utils.libc6` and the like stand beside them.
    pub inputs: BTreeMap<String, Input>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Kind of source: `deb`, `deb-source`, `go`, `go-toolchain`, `wheel`, `url`, `workspace`, `file`,
    /// `oci`.
    pub kind: String,
    /// Upstream's name: package, module, crate.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Archive label, suite and pool path; or module@version; or URL; or a path beside the definition. Never a
    /// registry's host.
    pub origin: String,
    /// SHA-256 of the file as fetched; for `go`, of `go.mod` and `go.sum` together; for `workspace`, empty
    /// (the program carries those sources); for `file`, of the files' names, modes and contents; for `oci`, of the manifest,
    /// which names all else of the image by digest.
    pub sha256: String,
    /// Bytes of the file as fetched, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}
