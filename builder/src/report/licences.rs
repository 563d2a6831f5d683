//! What the document that a build wrote beside the image says of a package of an inventory: the licence that it declares, and which
//! texts it has.

use std::collections::BTreeMap;

use crate::image::licences::{Licences, Package};
use crate::inventory::{Component, Ecosystem, Identity, Input, Part};
use crate::sources::{Owner, hash};

/// The document's packages.
pub(super) struct Packages<'a> {
    by_name: BTreeMap<(Owner, &'a str, &'a str), &'a Package>,
}

impl<'a> Packages<'a> {
    /// Those of a document; none of no document.
    pub fn new(licences: Option<&'a Licences>) -> Packages<'a> {
        let packages = licences.into_iter().flat_map(|licences| &licences.packages);
        let row = |package: &'a Package| ((package.owner, package.name.as_str(), package.version.as_str()), package);
        Packages { by_name: packages.map(row).collect() }
    }

    /// A component of the definition; one that is a module stands there as that module.
    pub fn of_component(&self, key: &str, component: &Component) -> Option<&'a Package> {
        let Component { name, version, .. } = component;
        self.get(Owner::Component, key, version).or_else(|| self.get(Owner::Go, name, version))
    }

    /// A module or crate.
    pub fn of_part(&self, part: &Part) -> Option<&'a Package> {
        let owner = match part.ecosystem {
            Ecosystem::Go => Owner::Go,
            Ecosystem::Cargo => Owner::Cargo,
        };
        self.get(owner, &part.name, &part.version)
    }

    /// A library that is linked in. Of those that a toolchain brings along the document knows no version.
    pub fn of_input(&self, input: &Input) -> Option<&'a Package> {
        let of = |version: &str| self.get(Owner::Library, &input.name, version);
        if input.linked { of(&input.version).or_else(|| of("")) } else { None }
    }

    fn get(&self, owner: Owner, name: &str, version: &str) -> Option<&'a Package> {
        self.by_name.get(&(owner, name, version)).copied()
    }
}

/// The licence that a package declares: by its own words in the document, else by what is known of its upstream.
pub(super) fn declared<'a>(package: Option<&'a Package>, identity: &Identity) -> Option<&'a str> {
    package.and_then(|package| package.declared.as_deref()).or(identity.licence)
}

/// What distinguishes a document made of this one from one made of another, or of none.
pub(super) fn document_of(format: &str, licences: Option<&Licences>) -> String {
    licences.map_or(format.to_owned(), |licences| format!("{format} {}", hash(&licences.render())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::licences::tests::sample;
    use crate::inventory::sample::inventory;

    #[test]
    fn a_packages_own_words_go_before_what_is_known_of_its_upstream() {
        let (inventory, mut licences) = (inventory(), sample());
        let runc = &inventory.components["runc"];
        let of = |licences: &Licences| {
            let packages = Packages::new(Some(licences));
            declared(packages.of_component("runc", runc), &runc.identity()).map(str::to_owned)
        };
        assert_eq!(of(&licences).as_deref(), Some("Apache-2.0"));
        licences.packages[0].declared = Some("Apache-2.0 AND MIT".into());
        assert_eq!(of(&licences).as_deref(), Some("Apache-2.0 AND MIT"));
        assert_eq!(declared(None, &Identity::default()), None);
        // Of what only took part in the build nothing is in the image.
        let packages = Packages::new(Some(&licences));
        let input = |key: &str| packages.of_input(&inventory.inputs[key]).map(|package| package.label());
        assert_eq!(input("library.libseccomp").as_deref(), Some("library libseccomp 2.6.0-2"));
        assert_eq!(input("toolchain.zig"), None);
    }
}
