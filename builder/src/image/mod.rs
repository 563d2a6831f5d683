//! From components to a disk image: plan first ([`plan`], pure), then write.
//!
//! ```text
//! inputs ─▶ root (tree ─▶ EROFS ─▶ verity) ─▶ boot manifest ─▶ initramfs ─▶ UKI ─▶ ESP ─▶ disk ─▶ release manifest
//! ```
//!
//! One direction, no step reaches back. [`open`] reads an image again, for [`inspect`] and [`verify`].

mod build;
mod disk;
mod initramfs;
pub mod inputs;
pub mod inspect;
pub mod open;
mod output;
pub mod plan;
mod preload;
mod root;
mod sparse;
mod state;
mod uki;
pub mod verify;

pub use build::{BuildOptions, Built, build};
