//! An inventory as CycloneDX 1.6, JSON.
//!
//! The image is the document's subject. Its components carry their files; modules and crates stand beside them, each once, with
//! the files in which they were found as evidence; a Debian package's ancestors are its source packages. Toolchains and tools
//! are there with scope `excluded`: they made the image and are not in it.

mod format;
mod render;
#[cfg(test)]
mod tests;

pub use render::render;
