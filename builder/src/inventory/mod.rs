//! What an image holds: every file with its hashes and its component, every component with its parts.
//!
//! Files are those of the root, of the ESP, the sections of the UKI, and the members of the initramfs in it. A component is what
//! the root's `components.json` says that it is; its parts are read from the programs themselves: Go's build information,
//! the crates that `cargo auditable` lists. Debian's source packages come from where a package lay in its archive.
//!
//! All that is said of what an image is made of is said of this: bills of materials, differences, scans for known flaws. What
//! is read of a program is read here and once, so that they cannot contradict each other.
//!
//! It is read from the image alone: with the build's folder deleted it is the same. A file that no component owns is an error:
//! an inventory with a gap that nobody sees is none.

mod archive;
mod content;
mod error;
mod go;
mod known;
mod origin;
mod owners;
mod package;
mod parts;
mod read;
#[cfg(test)]
pub(crate) mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use error::InventoryError;
pub use origin::{DEBIAN, DebianPackage, Origin, SourcePackage};
pub use package::{Identity, package_url, source_purl};
pub use parts::{Ecosystem, Part, Source};
pub use read::{of, read};

use crate::formats::go_binary::Functions;
use parts::Found;

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
    /// The parts of all programs, by their package URL without qualifiers, each once. Two modules whose names differ by capital
    /// letters have one URL: the second has its name behind it (`#`).
    pub parts: BTreeMap<String, Part>,
    /// File, by place and path → the functions that are in its Go programs; where they cannot be read, none.
    pub functions: BTreeMap<String, Arc<Functions>>,
    /// Component → flaw → the version in which its distributor mended it, as its package's changelog says.
    pub patched: BTreeMap<String, BTreeMap<String, String>>,
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

    /// Part → the component that stands for it: the first that is that very module.
    pub fn represented(&self) -> BTreeMap<&str, &str> {
        let mut components = BTreeMap::new();
        for (key, component) in &self.components {
            if let Some(purl) = component.identity().purl {
                components.entry(purl).or_insert(key.as_str());
            }
        }
        self.parts.keys().filter_map(|part| Some((part.as_str(), *components.get(part)?))).collect()
    }

    /// The files in which the code of a component is that stands for a part. Several may be one module, such as a daemon and
    /// its shim: the part's files are the first one's then, but for those that are another's own.
    pub fn files_with(&self, key: &str) -> Vec<&str> {
        let purl = |key: &str| self.components.get(key).and_then(|component| component.identity().purl);
        let Some(part) = purl(key).and_then(|purl| self.parts.get(&purl)) else { return Vec::new() };
        let own = purl(key);
        let is_first = self.components.keys().find(|other| purl(other) == own).is_some_and(|first| first == key);
        let owner = |file: &str| self.files.iter().find(|one| one.name() == file).map(|one| &*one.component);
        let is_here = |file: &&String| match owner(file) {
            Some(owner) if owner == key => true,
            Some(owner) => is_first && purl(owner) != own,
            None => is_first,
        };
        part.files.iter().filter(is_here).map(String::as_str).collect()
    }

    /// Adds what was found in a file.
    fn take(&mut self, found: Found, file: &File) {
        let name = file.name();
        for part in found.parts {
            let (key, source) = (key(&self.parts, &part), part.source);
            if let Some(component) = self.components.get_mut(&file.component) {
                component.parts.insert(key.clone());
            }
            let part = self.parts.entry(key).or_insert(part);
            part.files.insert(name.clone());
            // Where one program has it from a registry, advisories are about it.
            part.source = part.source.min(source);
        }
        // A table without a function says nothing of those that are in the program.
        if let Some(functions) = found.functions.filter(|functions| !functions.is_empty()) {
            self.functions.insert(name.clone(), Arc::new(functions));
        }
        self.gaps.extend(found.gaps.into_iter().map(|what| Gap { file: name.clone(), what }));
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

/// By what a part is known among these. Package URLs of Go have small letters only, and advisories tell names apart by their
/// capital ones.
fn key(parts: &BTreeMap<String, Part>, part: &Part) -> String {
    let purl = part.purl();
    match parts.get(&purl) {
        Some(other) if other.name != part.name => format!("{purl}#{}", part.name),
        _ => purl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(parts: &[(&str, Source, &str)]) -> Inventory {
        let mut inventory = sample::empty();
        for (name, source, path) in parts {
            let part = Part { source: *source, ..Part::new(Ecosystem::Go, name, "v1.0.0") };
            inventory.take(Found { parts: vec![part], ..Found::default() }, &sample::program(path, "runc"));
        }
        inventory
    }

    #[test]
    fn modules_whose_names_differ_by_capital_letters_are_two() {
        let twice = [("a.b/Logrus", Source::Registry, "/a"), ("a.b/logrus", Source::Registry, "/b")];
        let inventory = taken(&[twice[0], twice[1], twice[0], twice[1]]);
        let rows: Vec<_> = inventory.parts.iter().map(|(key, part)| (&**key, &*part.name, part.files.len())).collect();
        let wanted = [
            ("pkg:golang/a.b/logrus@v1.0.0", "a.b/Logrus", 1),
            ("pkg:golang/a.b/logrus@v1.0.0#a.b/logrus", "a.b/logrus", 1),
        ];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn what_one_program_has_from_a_registry_is_of_a_registry() {
        for order in [[Source::Own, Source::Registry], [Source::Registry, Source::Own]] {
            let inventory = taken(&[("a.b/c", order[0], "/a"), ("a.b/c", order[1], "/b")]);
            let rows: Vec<_> = inventory.parts.values().map(|part| (part.source, part.files.len())).collect();
            assert_eq!(rows, [(Source::Registry, 2)]);
        }
    }

    #[test]
    fn functions_are_known_of_programs_that_have_any() {
        let mut inventory = sample::empty();
        let mut functions = Functions::default();
        let file = sample::program("/usr/bin/runc", "runc");
        inventory.take(Found { functions: Some(functions.clone()), ..Found::default() }, &file);
        assert!(inventory.functions.is_empty());
        functions.add("main.main", true);
        inventory.take(Found { functions: Some(functions), ..Found::default() }, &file);
        assert!(inventory.functions["root/usr/bin/runc"].has("main", "main"));
    }
}
