//! Go programs: their modules, by the build information that the linker put into them.

use std::sync::Arc;

use super::super::package::{Identity, Package};
use super::{Program, Reading};
use crate::advisories::go_release;
use crate::formats::go_binary::{self, BuildInfo, Functions, Module};

const ECOSYSTEM: &str = "Go";
/// How many packages without a module are named.
const NAMED: usize = 3;

/// Adds a Go program's modules and its standard library.
pub(super) fn read(program: Program<'_>, reading: &mut Reading) {
    // Errors name the file themselves; here it stands in a column of its own.
    let info = match go_binary::build_info(program.bytes, program.path) {
        Ok(info) => info,
        Err(error) => return reading.cannot(program, error.problem.to_string()),
    };
    let functions = match go_binary::functions(program.bytes, program.path) {
        Ok(functions) => Some(functions),
        Err(error) => {
            let next = "what is found in its modules counts as if all of their functions were in it";
            reading.cannot(program, format!("{}; {next}", error.problem));
            None
        }
    };
    if let Some(functions) = &functions {
        holes(program, &info, functions, reading);
    }
    let functions = functions.map(|mut functions| {
        functions.name_main(&info.path);
        Arc::new(functions)
    });
    reading.packages.extend(packages(program, &info, functions.as_ref()));
}

/// Linked packages of no module that the program lists: of those nothing is known.
fn holes(program: Program<'_>, info: &BuildInfo, functions: &Functions, reading: &mut Reading) {
    let holes = go_binary::unaccounted(info, functions);
    if holes.is_empty() {
        return;
    }
    let mut named = holes.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = holes.len().checked_sub(NAMED) {
        named.push_str(&format!(" and {more} more"));
    }
    let reason = format!(
        "{} linked packages belong to no module that its build information lists ({named}): of those nothing is known; \
         build it with `go build`, in module mode",
        holes.len()
    );
    reading.cannot(program, reason);
}

fn packages(program: Program<'_>, info: &BuildInfo, functions: Option<&Arc<Functions>>) -> Vec<Package> {
    let package = |name: &str, version: Option<String>, functions: Option<&Arc<Functions>>| Package {
        identity: Identity { ecosystem: ECOSYSTEM.into(), name: name.into(), version },
        otherwise: None,
        by: program.by.clone(),
        path: program.path.to_owned(),
        functions: functions.cloned(),
    };
    let mut packages = vec![package("stdlib", go_release(&info.go_version), functions)];
    for module in info.modules() {
        let Some(by) = module.replaced_by.as_deref() else {
            let own = info.main.as_ref().is_some_and(|main| std::ptr::eq(main, module));
            packages.push(package(&module.path, version(program, module, own), functions));
            continue;
        };
        if by.path == module.path {
            packages.push(package(&by.path, known(&by.version), functions));
            continue;
        }
        // A folder, or a fork by another name: which flaws of the module that it stands for it has, nobody can say.
        packages.push(package(&module.path, None, functions));
        if !by.version.is_empty() {
            // Advisories about the fork name functions by its own path, and the program has them by the other.
            packages.push(package(&by.path, known(&by.version), None));
        }
    }
    packages
}

/// The main module of a build in its own folder has no version; the component's origin has, for Orlop's own builds.
fn version(program: Program<'_>, module: &Module, main: bool) -> Option<String> {
    let origin = || program.origin.strip_prefix(module.path.as_str())?.strip_prefix('@').map(str::to_owned);
    known(&module.version).or_else(|| if main { origin() } else { None })
}

fn known(version: &str) -> Option<String> {
    (!version.is_empty() && version != "(devel)").then(|| version.to_owned())
}
