//! Rust programs: their crates, by the list that `cargo auditable` puts into them.

use super::super::package::{Identity, Package};
use super::{Program, Reading};
use crate::formats::auditable::{self, Crate, Kind};

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
