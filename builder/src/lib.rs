//! The builder: one image definition becomes an immutable, signed disk image, without privilege.
//!
//! Imports point down: [`cli`] → [`report`] → [`scan`] → [`inventory`] → [`image`], [`advisories`] → [`surface`] → [`formats`],
//! [`tree`], [`sources`] → `orlop_chain` → `orlop_config`.

pub mod advisories;
pub mod bounded;
pub mod cli;
pub mod converse;
pub mod formats;
pub mod image;
pub mod inventory;
pub mod keys;
pub mod report;
pub mod scan;
pub mod sources;
pub mod surface;
pub mod text;
pub mod tree;
