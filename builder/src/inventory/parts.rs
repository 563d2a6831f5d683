//! What a program says that it was built from.

use std::collections::BTreeSet;

use super::archive;
use super::package::{go, purl};
use crate::formats::auditable::{self, Kind};
use crate::formats::go_binary::{self, Module};

/// A module or crate whose code is in programs of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose package it is.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its sum as `go.sum` has it (`h1:…`); empty where there is none.
    pub sum: String,
    /// The files in which its code is, by place and path.
    pub files: BTreeSet<String>,
}

/// Whose package a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecosystem {
    /// Go's modules; the standard library is called `stdlib`.
    Go,
    /// Rust's crates.
    Cargo,
}

impl Part {
    fn of_module(module: &Module) -> Part {
        let compiled = match &module.replaced_by {
            // A folder has no name of its own.
            Some(by) if !by.path.starts_with(['.', '/']) => by,
            _ => module,
        };
        let Module { path, version, sum, .. } = compiled;
        Part::new(Ecosystem::Go, path, version, sum)
    }

    fn new(ecosystem: Ecosystem, name: &str, version: &str, sum: &str) -> Part {
        let [name, version, sum] = [name, version, sum].map(str::to_owned);
        Part { ecosystem, name, version, sum, files: BTreeSet::new() }
    }

    /// Its package URL.
    pub fn purl(&self) -> String {
        // `(devel)` is no version: the module lay in a folder.
        let version = if self.version == "(devel)" { "" } else { &self.version };
        match self.ecosystem {
            Ecosystem::Go => go(&self.name, version),
            Ecosystem::Cargo => purl("cargo", &self.name, version, &[]),
        }
    }
}

/// What was found in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its parts.
    pub parts: Vec<Part>,
    /// What is not known of it.
    pub gaps: Vec<String>,
}

/// The parts of a program; `file` is its name in what is said of it.
pub fn of_program(bytes: &[u8], file: &str) -> Found {
    if go_binary::is_go(bytes) {
        return of_go(bytes, file);
    }
    match auditable::crates(bytes, file) {
        Ok(Some(crates)) => {
            let linked = crates.packages.iter().filter(|one| one.kind == Kind::Runtime && !one.root);
            let part = |one: &auditable::Crate| Part::new(Ecosystem::Cargo, &one.name, &one.version, "");
            Found { parts: linked.map(part).collect(), gaps: Vec::new() }
        }
        Ok(None) => Found::gap("it has neither Go's build information nor cargo-auditable's list of crates"),
        Err(error) => Found::gap(&error.to_string()),
    }
}

fn of_go(bytes: &[u8], file: &str) -> Found {
    let info = match go_binary::build_info(bytes, file) {
        Ok(info) => info,
        Err(error) => return Found::gap(&error.problem.to_string()),
    };
    let mut found = Found { parts: info.modules().map(Part::of_module).collect(), gaps: Vec::new() };
    // `go1.26.8 X:experiment`
    let version = info.go_version.split(' ').next().unwrap_or_default();
    let version = version.strip_prefix("go").unwrap_or(version);
    found.parts.push(Part::new(Ecosystem::Go, "stdlib", version, ""));
    match go_binary::functions(bytes, file) {
        Ok(functions) => {
            let unaccounted = go_binary::unaccounted(&info, &functions);
            if let Some(first) = unaccounted.first() {
                let count = unaccounted.len();
                found.gaps.push(format!("{count} packages in it belong to no module that it lists, such as {first}"));
            }
        }
        // What it lists may not be all.
        Err(error) => found.gaps.push(error.problem.to_string()),
    }
    found
}

/// The parts of the programs in a container image's archive.
pub fn of_archive(bytes: &[u8], file: &str) -> Found {
    let archive::Content { programs, unread } = match archive::read(bytes) {
        Ok(content) => content,
        Err(error) => return Found::gap(&format!("not an archive of a container image: {error}")),
    };
    let mut found = Found { parts: Vec::new(), gaps: unread };
    let mut unknown = Vec::new();
    for program in programs {
        let inner = of_program(&program.bytes, &format!("{file}: {}", program.path));
        found.parts.extend(inner.parts);
        unknown.extend(inner.gaps.into_iter().map(|gap| (program.path.clone(), gap)));
    }
    // The images of others hold hundreds of libraries: one line says it.
    if let Some((path, gap)) = unknown.first() {
        let others = unknown.len() - 1;
        let others = if others > 0 { format!("; and {others} more like it") } else { String::new() };
        found.gaps.push(format!("{path}: {gap}{others}"));
    }
    found
}

impl Found {
    fn gap(what: &str) -> Found {
        Found { parts: Vec::new(), gaps: vec![format!("what it was built from is not known: {what}")] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, version: &str) -> Module {
        Module { path: path.into(), version: version.into(), sum: "h1:abc=".into(), replaced_by: None }
    }

    #[test]
    fn what_was_compiled_counts() {
        let by = |path: &str, version: &str| {
            let replaced = Module { replaced_by: Some(module(path, version).into()), ..module("k8s.io/api", "v0.0.0") };
            Part::of_module(&replaced).purl()
        };
        assert_eq!(by("k8s.io/api", "v0.37.2"), "pkg:golang/k8s.io/api@v0.37.2");
        assert_eq!(by("./staging/api", ""), "pkg:golang/k8s.io/api@v0.0.0");
        assert_eq!(Part::of_module(&module("Orlop/x", "(devel)")).purl(), "pkg:golang/orlop/x");
        assert_eq!(Part::new(Ecosystem::Cargo, "serde_json", "1.0.1", "").purl(), "pkg:cargo/serde_json@1.0.1");
    }

    #[test]
    fn a_program_that_says_nothing_is_a_gap() {
        let found = of_program(b"\x7fELF\x02\x01", "root/bin/x");
        assert!(found.parts.is_empty());
        assert!(found.gaps[0].starts_with("what it was built from is not known: it has neither"), "{:?}", found.gaps);
        let found = of_archive(b"nothing", "root/x.tar");
        assert!(found.gaps[0].contains("not an archive of a container image"), "{:?}", found.gaps);
    }
}
