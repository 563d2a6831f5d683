//! What an image holds: every file with its hashes and its component, every component with its parts.
//!
//! Files are those of the root, of the ESP, the sections of the UKI, and the members of the initramfs in it. A component is what
//! the root's `components.json` says that it is; its parts are read from the programs themselves: Go's build information,
//! the crates that `cargo auditable` lists. Debian's source packages come from where a package lay in its archive.
//!
//! It is read from the image alone: with the build's folder deleted it is the same. A file that no component owns is an error:
//! an inventory with a gap that nobody sees is none.

mod archive;
mod content;
mod error;
mod known;
mod origin;
mod owners;
mod package;
mod parts;
mod read;
#[cfg(test)]
pub(crate) mod sample;

use std::collections::{BTreeMap, BTreeSet};

pub use error::InventoryError;
pub use origin::{DebianPackage, Origin, SourcePackage};
pub use package::{Identity, package_url, source_purl};
pub use parts::{Ecosystem, Part};
pub use read::read;

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The image.
    pub image: ImageFacts,
    /// The files, sorted by place and path.
    pub files: Vec<File>,
    /// Component → what it is.
    pub components: BTreeMap<String, Component>,
    /// What took part in the build and is not in the image: toolchains, tools; and libraries that are linked in. As far as the
    /// image says it.
    pub inputs: BTreeMap<String, Input>,
    /// The parts of all programs, by their package URL without qualifiers, each once.
    pub parts: BTreeMap<String, Part>,
    /// What is not known: a program that does not say what it was built from.
    pub gaps: Vec<Gap>,
}

/// What is known of the image itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `x86_64`.
    pub architecture: String,
    /// The sensitivity of what it may run.
    pub class: String,
    /// The root hash, hex.
    pub root_hash: String,
    /// SHA-256 of the UKI as it lies on the ESP, hex.
    pub uki_sha256: String,
    /// The kernel's release, as the UKI names it.
    pub kernel: String,
    /// The kernel's command line, as the UKI carries it.
    pub command_line: String,
    /// Sysctl → value, as PID 1 sets them.
    pub sysctls: BTreeMap<String, String>,
    /// Seconds since 1970 of every time in the image.
    pub epoch: u64,
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The EFI system partition.
    Esp,
    /// A section of the UKI on the ESP.
    Uki,
    /// The initramfs in the UKI.
    Initramfs,
    /// The root.
    Root,
}

/// A file, or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies.
    pub place: Place,
    /// Its path there, as that place writes it: absolute in root and initramfs.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes; of a link, of its target.
    pub size: u64,
    /// SHA-1 of its content (SPDX 2.3 asks for it), hex.
    pub sha1: String,
    /// SHA-256 of its content, hex.
    pub sha256: String,
    /// The component that it came from.
    pub component: String,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A program, or a part of one: an ELF file, the kernel.
    Program,
    /// It holds other files.
    Archive,
    /// Anything else.
    Data,
    /// A link to this target. Its hashes are its target's.
    Link(String),
}

/// A component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Upstream's name.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of the input as fetched; empty where there is none.
    pub sha256: String,
    /// The parts of its programs, as keys of [`Inventory::parts`].
    pub parts: BTreeSet<String>,
}

/// What took part in the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Upstream's name.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
    /// SHA-256 of the input as fetched.
    pub sha256: String,
    /// Whether its code is in the image (a library), or only made what is.
    pub linked: bool,
    /// The components that it took part in; none are named where it took part in the image itself.
    pub used_by: Vec<String>,
}

/// What is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The file, by place and path.
    pub file: String,
    /// What is not known of it, and why.
    pub what: String,
}

impl Place {
    /// Its name, as documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Place::Esp => "esp",
            Place::Uki => "uki",
            Place::Initramfs => "initramfs",
            Place::Root => "root",
        }
    }
}

impl File {
    /// Place and path in one: `root/usr/bin/kubelet`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.place.name(), self.path.trim_start_matches('/'))
    }
}

impl Component {
    /// What others know it by.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.name, &self.version, &self.origin, &self.sha256)
    }

    /// SHA-256 of the one file that it came in, where it came in one: not of a Go module's sums, nor of sources.
    pub fn archive_sha256(&self) -> Option<&str> {
        archive_sha256(&self.origin, &self.sha256)
    }
}

impl Input {
    /// What others know it by.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.name, &self.version, &self.origin, &self.sha256)
    }

    /// SHA-256 of the one file that it came in.
    pub fn archive_sha256(&self) -> Option<&str> {
        archive_sha256(&self.origin, &self.sha256)
    }
}

fn archive_sha256<'a>(origin: &Origin, sha256: &'a str) -> Option<&'a str> {
    use Origin::{Debian, DebianSource, Oci, Url, Wheel};
    let one_file = matches!(origin, Debian(_) | DebianSource { .. } | Oci(_) | Url(_) | Wheel);
    (one_file && !sha256.is_empty()).then_some(sha256)
}

impl Inventory {
    /// The files of a component.
    pub fn files_of<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.component == component)
    }

    /// What distinguishes documents about this image from those about every other: 16 bytes, derived.
    pub fn identity(&self, format: &str) -> [u8; 16] {
        use sha2::{Digest, Sha256};
        let ImageFacts { root_hash, uki_sha256, .. } = &self.image;
        let parts = ["orlop-sbom-v1", format, root_hash, uki_sha256, env!("CARGO_PKG_VERSION")];
        let digest = Sha256::digest(parts.join("\0"));
        std::array::from_fn(|at| digest[at])
    }
}
