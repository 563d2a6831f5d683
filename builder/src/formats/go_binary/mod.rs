//! Go programs (ELF): which modules they were built from, and which functions are linked into them.
//!
//! Two things in a Go program survive `-s -w` and `strip`, because the program itself reads them:
//!
//! - **Build information**, the section `.go.buildinfo` (`debug/buildinfo` of Go's own library): Go's version, the main
//!   module, every module that a package of was compiled in, the settings of the build. [`build_info`] reads it.
//! - **The function table**, the section `.gopclntab` (`runtime/symtab.go`, `debug/gosym`): the names of all functions,
//!   and of those that exist only as a part of others because they were inlined. [`functions`] reads them.
//!
//! What a file says of itself is a claim. Whoever asks what is wrong with a program must ask too whether it said
//! everything: [`unaccounted`] names linked packages of which no module is listed (`go test -c` lists none).
//!
//! Bytes are not trusted: every offset is checked, nothing is allocated by a length that a file names.

mod build_info;
mod error;
mod functions;
mod name;
#[cfg(test)]
pub(crate) mod sample;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use build_info::{BuildInfo, Module, build_info};
pub use error::{GoBinaryError, Problem};
pub use functions::{Functions, functions};

use sections::Sections;

/// Whether a file is a Go program, by what Go's linker always leaves in one: one of the sections that are read here, or
/// the note with Go's build ID. What was taken away on purpose is not found.
pub fn is_go(bytes: &[u8]) -> bool {
    Sections::of(bytes).is_ok_and(|sections| sections.is_go())
}

/// The linked packages that belong neither to the standard library nor to a module that the program lists.
///
/// There are some in programs that `go test -c` built, and in those whose build information was edited: of their
/// dependencies nothing is known, and a scan that finds nothing in them says nothing.
pub fn unaccounted<'a>(info: &BuildInfo, functions: &'a Functions) -> Vec<&'a str> {
    // A package belongs to the module by whose first name it was required, whatever replaced that.
    let listed: Vec<&str> = info.modules().map(|module| &*module.path).collect();
    functions
        .packages()
        .filter(|package| *package != info.path && !is_standard(package))
        .filter(|package| !listed.iter().any(|module| is_within(package, module)))
        .collect()
}

/// Calls the packages of forks by the forks' own paths. In a program they have that of the module which the fork replaced, and
/// advisories about the fork have its own.
pub fn name_forks(info: &BuildInfo, functions: &mut Functions) {
    let mut paths = BTreeMap::new();
    for package in functions.packages() {
        let Some(module) = module_of(info, package) else { continue };
        let (path, _) = module.known_as();
        if path != module.path {
            paths.insert(package.to_owned(), format!("{path}{}", &package[module.path.len()..]));
        }
    }
    functions.rename(&paths);
}

/// The module that a package belongs to: of those that may have it, the one with the longest path (`go help modules`).
fn module_of<'a>(info: &'a BuildInfo, package: &str) -> Option<&'a Module> {
    info.modules().filter(|module| is_within(package, &module.path)).max_by_key(|module| module.path.len())
}

/// The first part of a path that anybody can own has a dot in it (`go help importpath`).
fn is_standard(package: &str) -> bool {
    !package.split('/').next().is_some_and(|first| first.contains('.'))
}

/// A method that was promoted from an embedded field, and is unexported, carries its own package behind the field's name:
/// `go.etcd.io/etcd/client/v3.retryOption.google.golang.org/grpc.after` is of `go.etcd.io/etcd/client/v3`.
fn is_within(package: &str, module: &str) -> bool {
    package
        .strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || (rest.starts_with('.') && rest.contains('/')))
}
