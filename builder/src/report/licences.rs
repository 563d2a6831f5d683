//! Which licence texts a package of an inventory has, by the document that the build wrote beside the image.

use std::collections::BTreeMap;

use crate::image::licences::Licences;
use crate::inventory::{Component, Ecosystem, Input, Part};
use crate::sources::{Owner, hash};

/// File name → SHA-256 of its text, of each package.
pub(super) struct Texts<'a> {
    packages: BTreeMap<(Owner, &'a str, &'a str), &'a BTreeMap<String, String>>,
    none: BTreeMap<String, String>,
}

impl<'a> Texts<'a> {
    /// Those of a document; none of no document.
    pub fn new(licences: Option<&'a Licences>) -> Texts<'a> {
        let packages = licences.into_iter().flat_map(|licences| &licences.packages);
        let row = |package: &'a crate::image::licences::Package| {
            ((package.owner, package.name.as_str(), package.version.as_str()), &package.texts)
        };
        Texts { packages: packages.map(row).collect(), none: BTreeMap::new() }
    }

    /// Of a component of the definition; of one that is a module, that module's.
    pub fn of_component(&self, key: &str, component: &Component) -> &BTreeMap<String, String> {
        let Component { name, version, .. } = component;
        let own = self.packages.get(&(Owner::Component, key, version.as_str()));
        own.or_else(|| self.packages.get(&(Owner::Go, name.as_str(), version.as_str()))).copied().unwrap_or(&self.none)
    }

    /// Of a module or crate.
    pub fn of_part(&self, part: &Part) -> &BTreeMap<String, String> {
        let owner = match part.ecosystem {
            Ecosystem::Go => Owner::Go,
            Ecosystem::Cargo => Owner::Cargo,
        };
        self.packages.get(&(owner, part.name.as_str(), part.version.as_str())).copied().unwrap_or(&self.none)
    }

    /// Of a library that is linked in. Of those that a toolchain brings along the document knows no version.
    pub fn of_input(&self, input: &Input) -> &BTreeMap<String, String> {
        let of = |version: &str| self.packages.get(&(Owner::Library, input.name.as_str(), version)).copied();
        let found = if input.linked { of(&input.version).or_else(|| of("")) } else { None };
        found.unwrap_or(&self.none)
    }
}

/// What distinguishes a document with these texts from one with others, or without any.
pub(super) fn document_of(format: &str, licences: Option<&Licences>) -> String {
    licences.map_or(format.to_owned(), |licences| format!("{format} {}", hash(&licences.render())))
}

/// Whether a file of such a name says what may be done, and not who did it or whose patents it has.
pub(super) fn is_licence(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    file.starts_with("LICENSES/")
        || ["license", "licence", "copying", "copyright", "unlicense"].iter().any(|start| name.starts_with(start))
}
