//! The checks of the chain of trust. PID 1 and `orlop verify` call this same code.
//!
//! | module | checks |
//! |---|---|
//! | [`gpt`] | both copies of the partition table |
//! | [`disk`] | which partitions, of which disk, are the root's |
//! | [`key`], [`manifest`] | ed25519 signatures over manifests |
//! | [`signature_partition`] | the JSON in the signature partition |
//! | [`signature_list`], [`trust`] | whom firmware and kernel trust, against what the manifest asks for |
//! | [`verity`] | superblock against manifest, and the whole hash tree |
//! | [`state_template`] | the state partition's first content |
//!
//! Parsers take bytes or a [`device::ReadAt`]; who opens what is the caller's business. Nothing here writes: what is to be
//! written is returned as [`device::Step`]s, so that tests can judge every way in which the writing may be cut off.

mod crc;
pub mod device;
pub mod disk;
pub mod gpt;
pub mod guid;
pub mod key;
pub mod manifest;
pub mod root_hash;
pub mod signature_list;
pub mod signature_partition;
mod stage;
pub mod state_template;
pub mod trust;
pub mod verity;

pub use guid::Guid;
pub use root_hash::RootHash;
pub use stage::{At, Refusal, Stage};
