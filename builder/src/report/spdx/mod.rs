//! An inventory as SPDX 2.3, JSON.
//!
//! The image contains its components, a component its files and what its programs are made of; a Debian package was generated
//! from its source packages; a program is statically linked with its modules and crates; toolchains and tools are build tools of
//! what they made. Nothing is concluded about licences: what upstream declares is said to be declared.

mod format;
mod names;
mod render;
#[cfg(test)]
mod tests;

pub use render::render;
