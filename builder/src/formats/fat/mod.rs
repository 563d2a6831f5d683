//! A write-once FAT32: the EFI system partition. A plan that is pure, then a writer that streams the files' contents.
//!
//! Format: Microsoft, "FAT: General Overview of On-Disk Format", 1.03. Every folder and file has its clusters in one piece, in
//! the order of their paths, so that equal inputs give equal bytes. Reading is left to the `fatfs` crate: an independent reader.

mod format;
mod names;
mod plan;
mod write;

pub use plan::{FatError, Plan, Volume};
pub use write::write;

#[cfg(test)]
mod tests;
