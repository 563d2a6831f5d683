//! Which packages an image is made of: by its [inventory](crate::inventory), or by a list that somebody made of it.
//!
//! What does not say what it is made of is named with the reason: a list with holes that nobody sees would be worse than none.

mod account;
mod debian;
mod image;
pub(super) mod purl;
mod sbom;
#[cfg(test)]
mod tests;

pub use image::{of_image, of_inventory};
pub use sbom::{is_sbom, of_sbom};
