//! The provenance of an image (`NAME.provenance.json`): what it was built from and by what, signed by the release key.
//!
//! An in-toto Statement v1 (<https://github.com/in-toto/attestation>) with SLSA's predicate Provenance v1
//! (<https://slsa.dev/spec/v1.1/provenance>) in a DSSE envelope ([`crate::formats::dsse`]). docs/provenance.md explains its
//! fields. It has no time, no invocation's number and no machine's name: two builds of the same make the same bytes.
//!
//! **Why these subjects.** They are what the release manifest names, and that manifest itself: digests of all that has no
//! signature in it. Disk, ESP and signed UKI hold signatures, and all signatures of an image are made in one round
//! ([`super::signing`]), perhaps on a machine that never sees the image: whoever signs the provenance cannot know the digests
//! of what is only then put together. That the disk holds these parts is what `orlop verify` checks beside it.
//!
//! **Why the release manifest does not name the provenance.** The provenance's first subject is the release manifest's
//! digest; a manifest that held the provenance's in turn could not be written. Nothing is lost: both are signed by the release
//! key, and `orlop verify --provenance` holds each against the other.

mod check;
mod facts;
mod statement;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

pub use check::{ProvenanceError, check, parse};
pub use facts::Facts;
pub use statement::{Provenance, Resource, Statement};
pub use text::text;

use crate::bounded::read_at_most;
use crate::formats::dsse::{Envelope, MOST_BYTES};

/// What an envelope around a statement says of its payload.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// in-toto's Statement v1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// SLSA's Provenance v1.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// How to read the parameters: docs/provenance.md. It changes with their meaning.
pub const BUILD_TYPE: &str = "urn:orlop:build-type:image:v1";
/// Who built: `orlop`, run by whoever holds the release key.
pub const BUILDER_ID: &str = "urn:orlop:builder";

/// SHA-256 of the bytes.
pub const SHA256: &str = "sha256";
/// SHA-256 of a PE file as Authenticode counts it, lowercase hex: without its checksum and its signatures.
pub const AUTHENTICODE: &str = "authenticodeSha256";
/// SHA-256 of a component's `go.mod` and `go.sum` together, lowercase hex; they name every module by digest.
pub const GO_MODULES: &str = "goModulesSha256";
/// SHA-256 of files' names, modes and contents, lowercase hex, as the lockfile has it.
pub const FILES: &str = "filesSha256";

/// The provenance's file beside an image.
pub fn beside(image: &Path) -> PathBuf {
    image.with_extension("provenance.json")
}

/// Reads an envelope from its file; nobody has verified it yet.
pub fn read(path: &Path) -> anyhow::Result<Envelope> {
    let bytes = read_at_most(path, MOST_BYTES as u64)
        .with_context(|| format!("{}: `orlop build` and `orlop attach` write it beside the image", path.display()))?;
    let again = "take the file that the image's build wrote, or build again";
    Envelope::parse(&bytes).map_err(|error| anyhow!("{}: {error}; {again}", path.display()))
}
