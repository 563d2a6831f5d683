//! Keys and signatures: key files on disk, and the [`Signer`] that the build asks.
//!
//! What is signed is never a document itself but a domain and the document's SHA-256 (architecture §4), so
//! that a token or a signer command gets a few dozen bytes.

mod file;
mod generate;

pub use file::KeyFileError;
pub use file::{FileSigner, Secret};
pub use generate::{Generated, generate};

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// The first line of a development key, of its public key, and what the manifests' `development` says.
pub const DEVELOPMENT_MARK: &str = "# orlop development key: anybody may have it, never ship what it signed";

/// Something that can make ed25519 signatures of documents.
pub trait Signer {
    /// Signs `domain` followed by the SHA-256 of `document`.
    fn sign(&self, domain: &[u8], document: &[u8]) -> anyhow::Result<Signature>;
    /// The key that verifies what [`Signer::sign`] makes.
    fn public(&self) -> VerifyingKey;
    /// Whether this is a development key.
    fn development(&self) -> bool;
    /// The public key as a PEM file, with its development mark where there is one: what the initramfs carries.
    fn public_pem(&self) -> anyhow::Result<String>;
}

/// The bytes that an ed25519 signature of `document` covers.
pub fn message(domain: &[u8], document: &[u8]) -> Vec<u8> {
    let mut message = domain.to_vec();
    message.extend_from_slice(&Sha256::digest(document));
    message
}
