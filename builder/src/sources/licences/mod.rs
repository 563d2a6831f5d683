//! Licences of what goes into an image: the texts that its makers put beside its code (Debian's `copyright`, the files of Go
//! modules and of crates, of C libraries that are linked in), and what they declare in words that a program can read
//! ([`declared`]). What each package *is* licensed under is not concluded from them.
//!
//! Everything is at hand that was fetched for the build ([`super::fetch`]), whether it was compiled now or lies compiled in the cache: a
//! build with a full cache and one with an empty one find the same texts.

mod crates;
mod declared;
mod files;
mod go;
mod linked;
mod matching;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use orlop_config::definition::{Definition, Source};
use orlop_config::lockfile::Lockfile;
use serde::{Deserialize, Serialize};

use super::Bench;
use super::cache::{Key, hash};
use super::error::{At, Error};
use super::produce::{Produced, ProducedKind};

pub(crate) use declared::is_expression;
pub use files::is_licence;

/// Counts up when what is found changes without the inputs changing.
const RECIPE: u32 = 2;
/// The result's one file.
const DOCUMENT: &str = "licences.json";
/// What this repository itself is licensed under.
const OWN: [(&str, &str); 2] = [
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];
/// The same, as all its manifests have it.
pub const OWN_LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// File name → text.
pub type Texts = BTreeMap<String, String>;

/// A package in the image, what it declares, and the texts beside its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licensed {
    /// Whose package it is.
    pub owner: Owner,
    /// Its name there; of a component, that of the definition.
    pub name: String,
    /// Its version; of what a toolchain brings along, it is not known here.
    pub version: String,
    /// The components that it is in.
    pub components: BTreeSet<String>,
    /// The licence that it declares, an SPDX expression; none where it declares none that a program can read.
    pub declared: Option<String>,
    /// Its texts; none where none lies beside it.
    pub texts: Texts,
}

/// Whose package something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The definition's: a component as it came.
    Component,
    /// A Go module; the standard library is called `stdlib`.
    Go,
    /// A crate.
    Cargo,
    /// A library that is linked in.
    Library,
}

/// Collects them, or finds them in the cache. Sorted by owner, name and version.
pub fn collect(
    bench: &Bench<'_>,
    definition: &Definition,
    lockfile: &Lockfile,
    produced: &BTreeMap<String, Produced>,
) -> Result<Vec<Licensed>, Error> {
    let folder = bench.cache.result(&key(definition, lockfile, produced), |folder| {
        bench.step("licence texts", || {
            let mut collecting = Collecting { bench, definition, lockfile, found: BTreeMap::new() };
            for (name, made) in produced {
                collecting.component(name, made)?;
            }
            collecting.linked()?;
            let found: Vec<Licensed> = collecting.found.into_values().collect();
            let bytes = serde_json::to_vec(&found).map_err(|error| Error::format(DOCUMENT, error))?;
            let path = folder.join(DOCUMENT);
            fs::write(&path, bytes).at(path.display())?;
            Ok(((), format!("{} packages", found.len())))
        })
    })?;
    let path = folder.join(DOCUMENT);
    let bytes = fs::read(&path).at(path.display())?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let next = format!("{error}; delete {}, and the next build makes it again", folder.display());
        Error::format(path.display(), next)
    })
}

/// What the texts depend on: the inputs, and which modules and crates the programs say that they have.
fn key(definition: &Definition, lockfile: &Lockfile, produced: &BTreeMap<String, Produced>) -> Key {
    let mut inputs: Vec<String> = OWN.iter().map(|(_, text)| hash(text.as_bytes())).collect();
    for (name, made) in produced {
        inputs.extend([name.clone(), made.version.clone(), made.sha256.clone()]);
        let source = definition.components.get(name).map(|component| &component.source);
        if matches!(source, Some(Source::Go(_) | Source::Workspace(_))) {
            inputs.extend(programs(made).map(|(_, sha256)| sha256.to_owned()));
        }
    }
    for (name, input) in lockfile.inputs.iter().filter(|(name, _)| !definition.components.contains_key(*name)) {
        inputs.extend([name.clone(), input.sha256.clone()]);
    }
    Key::new("licences", RECIPE, &inputs.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Path in the cache and SHA-256 of the files of a component that is compiled.
fn programs(made: &Produced) -> impl Iterator<Item = (&std::path::Path, &str)> {
    made.files.values().filter_map(|file| match &file.kind {
        ProducedKind::File { sha256, .. } => Some((file.path.as_path(), sha256.as_str())),
        ProducedKind::Link { .. } => None,
    })
}

/// What was found of a package.
struct Found {
    texts: Texts,
    declared: Option<String>,
}

impl From<Texts> for Found {
    /// Of what has nothing but texts.
    fn from(texts: Texts) -> Found {
        Found { declared: declared::of_texts(&texts), texts }
    }
}

fn own() -> Found {
    let texts = OWN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Found { texts, declared: Some(OWN_LICENCE.to_owned()) }
}

struct Collecting<'a> {
    bench: &'a Bench<'a>,
    definition: &'a Definition,
    lockfile: &'a Lockfile,
    found: BTreeMap<(Owner, String, String), Licensed>,
}

impl Collecting<'_> {
    fn component(&mut self, name: &str, made: &Produced) -> Result<(), Error> {
        let source = self.definition.components.get(name).map(|component| &component.source);
        match source {
            Some(Source::Go(_)) => self.go_programs(name, made),
            Some(Source::Workspace(_)) => {
                self.add((Owner::Component, name, &made.version), name, || Ok(own()))?;
                self.rust_programs(name, made)
            }
            _ => self.add((Owner::Component, name, &made.version), name, || files::produced(made)),
        }
    }

    /// Adds a package, or a component that it is in too.
    fn add<F: Into<Found>>(
        &mut self,
        (owner, name, version): (Owner, &str, &str),
        component: &str,
        find: impl FnOnce() -> Result<F, Error>,
    ) -> Result<(), Error> {
        let key = (owner, name.to_owned(), version.to_owned());
        if let Some(licensed) = self.found.get_mut(&key) {
            licensed.components.insert(component.to_owned());
            return Ok(());
        }
        let (name, version, components) = (name.to_owned(), version.to_owned(), [component.to_owned()].into());
        let Found { texts, declared } = find()?.into();
        self.found.insert(key, Licensed { owner, name, version, components, declared, texts });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
