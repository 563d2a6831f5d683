//! Which packages an image is made of, as its own programs say: Go's build information, Rust's list of crates
//! (`cargo auditable`), and Debian's packages by `components.json`.
//!
//! What does not say is named with the reason: a list with holes that nobody sees would be worse than none.

mod crates;
mod debian;
mod go;
mod image;
pub(super) mod purl;
mod sbom;

pub use image::of_image;
pub use sbom::{is_sbom, of_sbom};

use super::package::{By, Package, Unjudged};
use crate::formats::{elf, go_binary};

/// Programs, one after the other.
#[derive(Debug, Default)]
struct Reading {
    packages: Vec<Package>,
    unjudged: Vec<Unjudged>,
}

/// A program in an image.
#[derive(Debug, Clone, Copy)]
struct Program<'a> {
    /// Where it lies, see [`Package::path`].
    path: &'a str,
    by: &'a By,
    /// Upstream's name of the component and its version as one: `k8s.io/kubernetes@v1.37.2`.
    origin: &'a str,
    bytes: &'a [u8],
}

impl Reading {
    /// Adds what a program says that it is made of.
    fn program(&mut self, program: Program<'_>) {
        if go_binary::is_go(program.bytes) {
            go::read(program, self);
        } else if elf::is_elf(program.bytes) {
            crates::read(program, self);
        } else {
            self.cannot(program, "it can be executed, and is no ELF file: what it is made of is not known".into());
        }
    }

    fn cannot(&mut self, program: Program<'_>, reason: String) {
        let Program { path, by, .. } = program;
        self.unjudged.push(Unjudged { what: path.to_owned(), component: by.component.clone(), reason });
    }
}

#[cfg(test)]
mod tests;
