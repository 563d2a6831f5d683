//! Keys and signatures: sets of keys on disk, and the [`Signer`]s that the build asks.
//!
//! A set has two keys: the release key (ed25519) signs manifests, the db key (RSA-2048) signs what firmware and kernel
//! check. Who signs with them is a key file or an external command; every signature is verified before it is used.

mod command;
mod file;
mod generate;
mod read;
mod set;

pub use command::CommandSigner;
pub use file::{KeyFileError, ReleaseFile, RsaFile};
pub use generate::{Generated, Names, generate};
pub use set::{DbKey, KeySet, ReleaseKey, trusted_certificates, trusted_release_keys};

/// Makes raw signatures.
pub trait Signer: Send + Sync {
    /// The signature over `message`: ed25519 (RFC 8032, 64 bytes), or RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>>;
}

#[cfg(test)]
pub mod sample;

#[cfg(test)]
mod tests;
