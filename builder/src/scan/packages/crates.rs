//! Rust programs: their crates, by the list that `cargo auditable` puts into them, and the standard library, by the
//! toolchain that `components.json` names.

use super::super::package::{By, Identity, Package};
use super::{Program, Reading, debian};
use crate::formats::auditable::{self, Crate, Kind};
use crate::tree::Components;

/// As `components.json` calls it.
const TOOLCHAIN: &str = "rust-toolchain";

/// The standard library in each component that a Rust toolchain compiled. No list of crates has it, and RustSec files its
/// flaws under an ecosystem of its own.
pub(super) fn standard_library(components: &Components) -> Vec<Package> {
    let mut packages = Vec::new();
    for toolchain in components.inputs.values().filter(|input| input.kind == TOOLCHAIN) {
        packages.extend(toolchain.used_by.iter().map(|component| Package {
            identity: std(&toolchain.version),
            otherwise: None,
            by: By {
                component: component.clone(),
                version: components.components.get(component).map_or_else(String::new, |of| of.version.clone()),
            },
            path: debian::path(components, component),
            functions: None,
        }));
    }
    packages
}

/// What RustSec calls the standard library of a release of Rust; that may be empty, where it is not known.
pub(super) fn std(version: &str) -> Identity {
    let version = Some(version.to_owned()).filter(|version| !version.is_empty());
    Identity { ecosystem: "Rust".into(), name: "std".into(), version }
}

/// Adds a program's crates. One that carries no list cannot be judged.
pub(super) fn read(program: Program<'_>, reading: &mut Reading) {
    let crates = match auditable::crates(program.bytes, program.path) {
        Ok(Some(crates)) => crates.packages,
        Ok(None) => {
            let reason = "neither a Go program nor one with a list of its crates (`cargo auditable`): what it is made of is \
                          not known";
            return reading.cannot(program, reason.into());
        }
        Err(error) => return reading.cannot(program, format!("its list of crates cannot be read: {}", error.what)),
    };
    reading.packages.extend(crates.into_iter().filter(is_judged).map(|found| Package {
        identity: Identity {
            ecosystem: "crates.io".into(),
            name: found.name,
            // What lies in a folder is changed perhaps, whatever its version says.
            version: Some(found.version).filter(|_| found.source != "local"),
        },
        otherwise: None,
        by: program.by.clone(),
        path: program.path.to_owned(),
        functions: None,
    }));
}

/// The program itself and this project's own crates are in no registry, and one that only took part in the build is not in
/// the program.
fn is_judged(found: &Crate) -> bool {
    let own = found.source == "local" && (found.root || found.name.starts_with("orlop"));
    !own && found.kind == Kind::Runtime
}
