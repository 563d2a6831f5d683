//! From components to a disk image: plan first ([`plan`], pure), then write.
//!
//! ```text
//! inputs ─▶ root (tree ─▶ EROFS ─▶ verity) ─▶ boot manifest ─▶ initramfs ─▶ UKI ─▶ release manifest ─▶ provenance ─▶ signatures ─▶ ESP ─▶ disk
//! ```
//!
//! One direction, no step reaches back. [`open`] and [`opened`] read an image again, for [`inspect`], [`verify`] and all that is
//! said of it.

pub mod attach;
mod boot;
mod build;
mod companions;
mod credentials;
mod disk;
mod fixed;
mod initramfs;
pub mod inputs;
pub mod inspect;
pub mod licences;
pub mod open;
pub mod opened;
mod output;
pub mod plan;
pub mod policy;
mod preload;
mod programs;
pub mod provenance;
mod records;
pub mod request;
mod root;
pub mod signers;
pub mod signing;
mod sparse;
mod stamp;
mod state;
mod uki;
pub mod verify;

pub use build::{BuildOptions, Built, build};
pub use programs::{BuiltPrograms, build_programs};
