//! What to do about a flaw. A command is named where it brings the fixed version; of what only a network can tell, that is
//! said.

use std::collections::BTreeSet;

use super::package::{Identity, Inventory, Package};
use crate::sources::debian::{source_version, upstream_version};

/// What an image says of how it was made.
pub(super) struct Next<'a> {
    /// Whether packages have the component that brought them. Other tools' lists do not say it: what stands there is the name
    /// of the whole.
    own: bool,
    /// The components that a Rust toolchain compiled. They are programs of this repository, and come with `orlop`.
    compiled: BTreeSet<&'a str>,
}

impl<'a> Next<'a> {
    /// Of an image, or a list of what is in it.
    pub fn new(inventory: &'a Inventory) -> Next<'a> {
        let std = |package: &&Package| package.identity.ecosystem == "Rust" && package.identity.name == "std";
        let compiled = inventory.packages.iter().filter(std).map(|package| &*package.by.component).collect();
        Next { own: inventory.own, compiled }
    }

    /// What to do about a flaw of a package, by the name that it was looked up by, which these versions end.
    pub fn of(&self, package: &Package, identity: &Identity, fixed: &[String]) -> String {
        let (component, name) = (&package.by.component, &identity.name);
        let versions = fixed.join(" or ");
        if fixed.is_empty() {
            let leave = if self.own { format!("leave `{component}` out") } else { "leave it out".to_owned() };
            return format!(
                "no version of {name} that ends it is known: {leave}, or say in an OpenVEX document why it does no harm"
            );
        }
        if !self.own {
            return format!(
                "take a release of `{component}` that has {name} {versions} or newer; which input brings it, a scan of the \
                 image itself tells"
            );
        }
        let own = |version: &str| version.trim_start_matches('v') == package.by.version.trim_start_matches('v');
        let patch =
            identity.version.as_deref().is_some_and(|version| fixed.iter().any(|fixed| same_minor(fixed, version)));
        match identity.ecosystem.split(':').next().unwrap_or_default() {
            "Debian" if !is_component(package, identity) => library(component, identity, fixed),
            "Debian" => format!("lock `{component}` again ({}) once Debian has {name} {versions}", lock(component)),
            "Linux" => format!("lock `{component}` again ({}) once it is Linux {versions}", lock(component)),
            "Rust" => format!("take an `orlop` that builds `{component}` with Rust {versions} or newer"),
            "crates.io" if self.compiled.contains(&**component) => {
                format!("take an `orlop` that builds `{component}` with {name} {versions} or newer")
            }
            "Go" if name == "stdlib" && patch => {
                format!("build `{component}` with Go {versions} or newer: {}", lock("toolchain.go"))
            }
            "Go" if name == "stdlib" => format!("build `{component}` with Go {versions} or newer"),
            _ if identity.version.as_deref().is_some_and(own) && patch => format!(
                "take `{component}` in {versions} or newer: {}, and where the definition names another release, write that one there first",
                lock(component)
            ),
            _ if identity.version.as_deref().is_some_and(own) => format!(
                "take `{component}` in {versions} or newer: write that version into the definition, then {}",
                lock(component)
            ),
            _ => format!(
                "take a release of `{component}` that has {name} {versions} or newer; whether there is a newer one, `orlop watch \
                 DEFINITION` tells"
            ),
        }
    }
}

fn lock(input: &str) -> String {
    format!("`orlop lock DEFINITION --update {input}`")
}

/// Whether a package of Debian is its component itself, and has that one's version. A library that is linked into a component
/// has its own.
fn is_component(package: &Package, identity: &Identity) -> bool {
    let (version, of) = (identity.version.as_deref(), package.by.version.as_str());
    version == Some(of) || version == Some(source_version(of))
}

/// A library is compiled of upstream's archive: what Debian mends by a patch of its own is not in it, and only a newer release
/// of upstream brings the fix.
fn library(component: &str, identity: &Identity, fixed: &[String]) -> String {
    let Identity { name, version, .. } = identity;
    let version = version.as_deref().unwrap_or_default();
    let newer: Vec<&str> =
        fixed.iter().map(|fixed| upstream_version(fixed)).filter(|fixed| *fixed != version).collect();
    let lock = lock(&format!("library.{name}"));
    if newer.is_empty() {
        let versions = fixed.join(" or ");
        return format!(
            "lock {name} again ({lock}) once Debian has a newer upstream release than {version}: `{component}` links what \
             upstream made of it, without the patches of {versions}"
        );
    }
    format!(
        "lock {name} again ({lock}) once Debian has upstream's release {} or newer, which `{component}` links without Debian's \
         patches",
        newer.join(" or ")
    )
}

/// Whether two versions differ in their patch release at most: that much a definition leaves open.
fn same_minor(a: &str, b: &str) -> bool {
    let minor = |version: &str| {
        let mut parts = version.trim_start_matches('v').split('.').map(str::to_owned);
        parts.next().zip(parts.next())
    };
    minor(a).is_some_and(|one| minor(b) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::package::By;

    fn package((ecosystem, name, version): (&str, &str, &str), by: (&str, &str)) -> Package {
        Package {
            identity: Identity { ecosystem: ecosystem.into(), name: name.into(), version: Some(version.into()) },
            otherwise: None,
            by: By { component: by.0.into(), version: by.1.into() },
            path: String::new(),
            functions: None,
        }
    }

    /// What to do about the first package, which this version ends.
    fn next(own: bool, packages: Vec<Package>, fixed: &[&str]) -> String {
        let inventory = Inventory { own, packages, ..Inventory::default() };
        let fixed: Vec<String> = fixed.iter().map(|version| (*version).to_owned()).collect();
        let first = &inventory.packages[0];
        Next::new(&inventory).of(first, &first.identity, &fixed)
    }

    #[test]
    fn a_library_is_an_input_of_its_own_and_has_no_patches_of_debian() {
        let of =
            |fixed: &str| next(true, vec![package(("Debian:13", "libseccomp", "2.6.0"), ("runc", "v1.5.2"))], &[fixed]);
        let patched = of("2.6.0-2");
        assert!(patched.contains("`orlop lock DEFINITION --update library.libseccomp`"), "{patched}");
        assert!(patched.contains("a newer upstream release than 2.6.0"), "{patched}");
        let released = of("1:2.6.1-1+deb13u1");
        assert!(
            released.contains("--update library.libseccomp`) once Debian has upstream's release 2.6.1"),
            "{released}"
        );
    }

    #[test]
    fn a_package_of_debian_that_is_a_component_is_locked_again() {
        for version in ["6.12.90-1", "6.12.90-1+b2"] {
            let next =
                next(true, vec![package(("Debian:13", "linux", "6.12.90-1"), ("kernel", version))], &["6.12.94-1"]);
            assert_eq!(
                next,
                "lock `kernel` again (`orlop lock DEFINITION --update kernel`) once Debian has linux 6.12.94-1"
            );
        }
    }

    #[test]
    fn what_orlop_brings_comes_with_another_orlop() {
        let tar = || package(("crates.io", "tar", "0.4.44"), ("init", "0.1.0"));
        let compiled = vec![tar(), package(("Rust", "std", "1.95.0"), ("init", "0.1.0"))];
        assert_eq!(next(true, compiled, &["0.4.45"]), "take an `orlop` that builds `init` with tar 0.4.45 or newer");
        // Somebody's own program, which no toolchain of ours compiled.
        let other = vec![tar(), package(("Rust", "std", "1.95.0"), ("cri", "0.1.0"))];
        assert!(next(true, other, &["0.4.45"]).starts_with("take a release of `init` that has tar 0.4.45"));
    }

    /// The name of the whole is no input.
    #[test]
    fn of_other_tools_lists_no_input_is_named() {
        for of in [
            ("Debian:13", "zlib", "1.2-1"),
            ("Go", "stdlib", "1.22.1"),
            ("Go", "x", "v1.0.0"),
            ("Linux", "Kernel", "6.12"),
            ("Rust", "std", "1.94.0"),
        ] {
            let next = next(false, vec![package(of, ("edge", "v1.0.0"))], &["9.0"]);
            assert!(next.starts_with(&format!("take a release of `edge` that has {} 9.0 or newer", of.1)), "{next}");
            assert!(!next.contains("orlop lock") && !next.contains("orlop watch"), "{next}");
        }
        let unknown = next(false, vec![package(("Go", "x", "v1.0.0"), ("edge", ""))], &[]);
        assert!(unknown.contains("no version of x that ends it is known: leave it out"), "{unknown}");
        let unknown = next(true, vec![package(("Go", "x", "v1.0.0"), ("edge", ""))], &[]);
        assert!(unknown.contains("leave `edge` out, or say in an OpenVEX document"), "{unknown}");
    }
}
