//! What a program says that it was built from.

use std::collections::BTreeSet;

use super::archive;
use super::go::{Fetched, of_go};
use super::package::{go, purl};
use crate::formats::auditable::{self, Crate, Kind, LOCAL};
use crate::formats::elf;
use crate::formats::go_binary::{self, Functions};

/// A module or crate whose code is in programs of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whose package it is.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version; empty where it is not known.
    pub version: String,
    /// Where its code came from.
    pub source: Source,
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

/// Where the code of a part came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A registry or repository, which has it by its version.
    Registry,
    /// A folder of whoever built the program. Whatever its version says, it is changed perhaps: none is known.
    Folder,
    /// This repository. Its crates are in no registry, so that no advisory is about them.
    Own,
}

impl Source {
    /// Its name, as documents write it; nothing of what is as usual.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Source::Registry => None,
            Source::Folder => Some("folder"),
            Source::Own => Some("own"),
        }
    }
}

impl Part {
    pub(super) fn new(ecosystem: Ecosystem, name: &str, version: &str) -> Part {
        let (name, version) = (name.to_owned(), version.to_owned());
        Part { ecosystem, name, version, source: Source::Registry, sum: String::new(), files: BTreeSet::new() }
    }

    fn of_crate(one: &Crate) -> Part {
        let (version, source) = match one.source == LOCAL {
            true if one.name.starts_with("orlop") => (&*one.version, Source::Own),
            true => ("", Source::Folder),
            false => (&*one.version, Source::Registry),
        };
        Part { source, ..Part::new(Ecosystem::Cargo, &one.name, version) }
    }

    /// Its package URL.
    pub fn purl(&self) -> String {
        match self.ecosystem {
            Ecosystem::Go => go(&self.name, &self.version),
            Ecosystem::Cargo => purl("cargo", &self.name, &self.version, &[]),
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
    /// The functions of its Go programs, where those of all of them can be read.
    pub functions: Option<Functions>,
}

/// The parts of a program; `file` is its name in what is said of it.
pub fn of_program(bytes: &[u8], file: &str, fetched: Option<Fetched<'_>>) -> Found {
    if !elf::is_elf(bytes) {
        return Found::gap("it can be executed, and is no ELF file: what it is made of is not known".into());
    }
    if go_binary::is_go(bytes) {
        return of_go(bytes, file, fetched);
    }
    match auditable::crates(bytes, file) {
        Ok(Some(crates)) => {
            let parts = crates.packages.iter().filter(|one| is_part(one)).map(Part::of_crate).collect();
            Found { parts, ..Found::default() }
        }
        Ok(None) => Found::gap(
            "neither a Go program nor one with a list of its crates (`cargo auditable`): what it is made of is not known"
                .into(),
        ),
        Err(error) => {
            Found::gap(format!("its list of crates cannot be read: {}; build the program anew", error.what))
        }
    }
}

/// A crate that only took part in the build is not in the program, and the program's own is the component.
fn is_part(one: &Crate) -> bool {
    one.kind == Kind::Runtime && !(one.root && one.source == LOCAL)
}

/// The parts of the programs in a container image's archive.
pub fn of_archive(bytes: &[u8], file: &str, fetched: Option<Fetched<'_>>) -> Found {
    let archive::Content { programs, unread } = match archive::read(bytes) {
        Ok(content) => content,
        Err(error) => {
            let why = "what it was built from is not known: not an archive of a container image";
            return Found::gap(format!("{why}: {error}"));
        }
    };
    let mut found = Found { gaps: unread, functions: Some(Functions::default()), ..Found::default() };
    let mut unknown = Vec::new();
    for program in programs {
        let inner = of_program(&program.bytes, &format!("{file}: {}", program.path), fetched);
        let is_go = inner.parts.iter().any(|part| part.ecosystem == Ecosystem::Go);
        match (&mut found.functions, inner.functions) {
            (Some(all), Some(functions)) => all.merge(functions),
            // Where those of one are not known, no function is missing for sure.
            (all, None) if is_go => *all = None,
            _ => {}
        }
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
    /// Nothing but what is not known.
    pub fn gap(what: String) -> Found {
        Found { gaps: vec![what], ..Found::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::auditable::{Crates, pack};
    use crate::formats::go_binary::sample::{GO_1_20, blob, elf, table};
    use crate::formats::oci::{self, LayerFile};

    const TOOL: &str = "path\texample.com/tool/cmd/tool\n\
        mod\texample.com/tool\t(devel)\t\n\
        dep\texample.com/forked\tv1.0.0\n\
        =>\texample.com/fork\tv1.0.1\th1:four=\n\
        dep\texample.com/folder\tv0.0.0\n\
        =>\t./staging/folder\t\n\
        dep\tk8s.io/api\tv0.0.0\n\
        =>\tk8s.io/api\tv0.37.2\th1:three=\n";

    fn go(text: &str, linked: &[&str]) -> Vec<u8> {
        elf(&[(".go.buildinfo", blob("go1.26.8", text)), (".gopclntab", table(GO_1_20, linked, &[]))], true)
    }

    fn rows(found: &Found) -> Vec<(String, Source)> {
        found.parts.iter().map(|part| (part.purl(), part.source)).collect()
    }

    #[test]
    fn what_was_compiled_counts() {
        let linked = ["main.main", "example.com/forked.F"];
        let found = of_program(&go(TOOL, &linked), "root/usr/bin/tool", Some(("example.com/tool", "v1.2.3")));
        let row = |purl: &str, source| (purl.to_owned(), source);
        assert_eq!(
            rows(&found),
            [
                row("pkg:golang/stdlib@1.26.8", Source::Registry),
                row("pkg:golang/example.com/tool@v1.2.3", Source::Registry),
                row("pkg:golang/example.com/fork@v1.0.1", Source::Registry),
                row("pkg:golang/example.com/folder", Source::Folder),
                row("pkg:golang/k8s.io/api@v0.37.2", Source::Registry),
            ]
        );
        assert_eq!((&*found.parts[2].sum, &*found.parts[3].sum), ("h1:four=", ""));
        assert_eq!(found.gaps, Vec::<String>::new());
        // The program calls the fork's functions by the path that it took the place of.
        let functions = found.functions.unwrap();
        assert!(functions.has("example.com/fork", "F") && functions.has("example.com/tool/cmd/tool", "main"));
        // Of what was fetched as another module, nobody knows which version this one is.
        let found = of_program(&go(TOOL, &linked), "root/usr/bin/tool", Some(("example.com/other", "v1.2.3")));
        assert_eq!(rows(&found)[1], row("pkg:golang/example.com/tool", Source::Folder));
    }

    #[test]
    fn crates_of_folders_have_no_version_and_those_of_this_repository_are_its_own() {
        let one = |name: &str, source: &str, root| Crate {
            name: name.into(),
            version: "1.0.0".into(),
            source: source.into(),
            root,
            ..Crate::default()
        };
        let packages = vec![
            one("tool", "local", true),
            one("installed", "crates.io", true),
            one("orlop-chain", "local", false),
            one("patched", "local", false),
            one("serde_json", "registry", false),
            Crate { kind: Kind::Build, ..one("cc", "crates.io", false) },
        ];
        let program = elf(&[(".dep-v0", pack(&Crates { packages }))], true);
        let row = |purl: &str, source| (purl.to_owned(), source);
        assert_eq!(
            rows(&of_program(&program, "root/usr/bin/tool", None)),
            [
                row("pkg:cargo/installed@1.0.0", Source::Registry),
                row("pkg:cargo/orlop-chain@1.0.0", Source::Own),
                row("pkg:cargo/patched", Source::Folder),
                row("pkg:cargo/serde_json@1.0.0", Source::Registry),
            ]
        );
    }

    #[test]
    fn a_program_that_says_nothing_is_a_gap() {
        let found = of_program(b"\x7fELF\x02\x01", "root/bin/x", None);
        assert!(found.parts.is_empty());
        assert!(found.gaps[0].starts_with("neither a Go program nor one with a list"), "{:?}", found.gaps);
        let found = of_archive(b"nothing", "root/x.tar", None);
        assert!(found.gaps[0].contains("not an archive of a container image"), "{:?}", found.gaps);
    }

    #[test]
    fn functions_of_an_archive_are_those_of_all_its_programs_or_not_known() {
        let functions = |programs: &[Vec<u8>]| {
            let file = |(at, bytes): (usize, &Vec<u8>)| LayerFile {
                path: format!("/{at}"),
                mode: 0o755,
                bytes: bytes.clone(),
            };
            let files: Vec<LayerFile> = programs.iter().enumerate().map(file).collect();
            let reference = "localhost/x:1";
            let image = oci::Image { reference, files: &files, entrypoint: &["/0".to_owned()], user: "", epoch: 1 };
            of_archive(&oci::archive(&image).unwrap(), "root/x.tar", None).functions
        };
        let (one, other) = (go(TOOL, &["example.com/tool/a.F"]), go(TOOL, &["example.com/tool/b.G"]));
        let silent = elf(&[(".go.buildinfo", blob("go1.26.8", TOOL))], true);
        let both = functions(&[one.clone(), other.clone()]).unwrap();
        assert!(both.has("example.com/tool/a", "F") && both.has("example.com/tool/b", "G"));
        for programs in [[one.clone(), silent.clone(), other.clone()], [silent, one, other]] {
            assert_eq!(functions(&programs), None);
        }
    }
}
