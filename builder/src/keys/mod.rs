//! Keys and signatures: key files on disk, and the [`Signer`] that the build asks.
//!
//! What is signed is never a document itself but a domain and the document's SHA-256 (architecture §4), so
//! that a token or a signer command gets a few dozen bytes.

mod file;
mod generate;

pub use file::KeyFileError;
pub use file::{FileSigner, Secret};
pub use generate::{Generated, generate};

use ed25519_dalek::Signature;
use orlop_chain::key::PublicKey;

/// Something that can make ed25519 signatures of documents.
pub trait Signer {
    /// Signs `domain` followed by the SHA-256 of `document`.
    fn sign(&self, domain: &[u8], document: &[u8]) -> anyhow::Result<Signature>;
    /// The key that verifies what [`Signer::sign`] makes, with its development mark.
    fn public(&self) -> PublicKey;
}
