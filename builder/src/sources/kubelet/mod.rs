//! kubelet's configuration, held against the types of the very kubelet that is compiled. kubelet itself passes over a key that it
//! does not know with one line in its log, and goes by its default: a hardening that is misspelt, or that another version of
//! Kubernetes calls otherwise, would be gone without a word.
//!
//! The types are in the modules that are fetched for the build ([`super::fetch`]), whether kubelet is compiled now or lies
//! compiled in the cache. What a map has for keys (signals of eviction, resources) is in no type; of these kubelet refuses
//! one that it does not know.

mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use orlop_config::definition::Source;
use orlop_config::lockfile::Lockfile;
use orlop_config::render;

use super::error::Error;
use super::{Bench, Cache, Project, go, lock};
use types::GoTypes;

/// A component that compiles this one is kubelet.
const PROGRAM: &str = "k8s.io/kubernetes/cmd/kubelet";
/// The package that describes its configuration, and how it calls that.
const PACKAGE: &str = "k8s.io/kubelet/config/v1beta1";
const DOCUMENT: &str = "KubeletConfiguration";
/// What helps against a kubelet that does not fit.
const ANOTHER: &str = "name another version of Kubernetes in the definition (`kubernetes`; that of `orlop:node` fits), and run \
                       `orlop lock DEFINITION`";
/// Kubernetes' packages describe their documents in this file.
const FILE: &str = "types.go";

/// Refuses a configuration with a key that the locked kubelet does not know. A kubelet that is not compiled (`source.url`,
/// `source.file`) has brought no types, and is not looked at.
pub fn check(bench: &Bench<'_>, project: &Project, lockfile: &Lockfile, text: &str) -> Result<(), Error> {
    let keys = render::kubelet_keys(text).map_err(|reason| Error::format("kubelet's configuration", reason))?;
    for (name, component) in &project.definition().components {
        let Source::Go(source) = &component.source else { continue };
        if source.test || !go::packages(source).iter().any(|package| package == PROGRAM) {
            continue;
        }
        let sums = lock::module(project, lockfile, name)?;
        let mut packages = Packages { cache: bench.cache, sums: &sums, read: BTreeMap::new() };
        let unknown = packages.unknown(&keys)?;
        if !unknown.is_empty() {
            let version = &bench.input(lockfile, name)?.version;
            let list = unknown.iter().map(|key| format!("`{}`", key.join("."))).collect::<Vec<_>>().join(", ");
            let place = packages.file(PACKAGE)?.unwrap_or_default();
            let reason = format!("kubelet {version} has no {list}, and would pass over it without a word; {ANOTHER}");
            return Err(Error::format(place.display(), reason));
        }
    }
    Ok(())
}

/// The packages of a component's modules, as far as they were read.
struct Packages<'a> {
    cache: &'a Cache,
    sums: &'a go::Sums,
    read: BTreeMap<String, GoTypes>,
}

/// A type, and the package whose file calls it so.
struct Place {
    package: String,
    kind: String,
}

impl Packages<'_> {
    /// The keys that are none of kubelet's. Of what stands below one of them nothing is said.
    fn unknown<'k>(&mut self, keys: &'k [Vec<String>]) -> Result<Vec<&'k [String]>, Error> {
        let mut unknown: Vec<&[String]> = Vec::new();
        for path in keys {
            if !unknown.iter().any(|above| path.starts_with(above)) && !self.knows(path)? {
                unknown.push(path);
            }
        }
        Ok(unknown)
    }

    fn knows(&mut self, path: &[String]) -> Result<bool, Error> {
        let mut place = Place { package: PACKAGE.to_owned(), kind: DOCUMENT.to_owned() };
        for key in path {
            match self.below(place, key)? {
                Some(found) => place = found,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The type of what stands below a key of a type. `None`: that has no such key.
    fn below(&mut self, place: Place, key: &str) -> Result<Option<Place>, Error> {
        let (mut open, mut seen) = (vec![place], BTreeSet::new());
        while let Some(Place { package, kind }) = open.pop() {
            // An item of a list, and what a pointer leads to.
            let kind = kind.trim_start_matches(['*', '[', ']']);
            if let Some(value) = kind.strip_prefix("map[string]") {
                return Ok(Some(Place { kind: value.to_owned(), package }));
            }
            let Some((package, name)) = self.named(package, kind)? else { continue };
            // What is embedded may go round in a circle.
            if !seen.insert((package.clone(), name.clone())) {
                continue;
            }
            let Some(types) = self.types(&package)? else { continue };
            for field in types.fields(&name) {
                let at = Place { package: package.clone(), kind: field.kind.clone() };
                match &field.key {
                    Some(found) if found == key => return Ok(Some(at)),
                    Some(_) => {}
                    None => open.push(at),
                }
            }
        }
        Ok(None)
    }

    /// The package that a type is of, and its name there: `metav1.TypeMeta` is another one's.
    fn named(&mut self, package: String, kind: &str) -> Result<Option<(String, String)>, Error> {
        let Some((import, name)) = kind.split_once('.') else { return Ok(Some((package, kind.to_owned()))) };
        let types = self.types(&package)?;
        let other = types.and_then(|types| types.import(import));
        Ok(other.map(|other| (other.to_owned(), name.to_owned())))
    }

    /// What a package describes. `None`: it is of no module.
    fn types(&mut self, package: &str) -> Result<Option<&GoTypes>, Error> {
        if !self.read.contains_key(package) {
            let Some(path) = self.file(package)? else { return Ok(None) };
            self.read.insert(package.to_owned(), GoTypes::parse(&read(&path)?));
        }
        Ok(self.read.get(package))
    }

    fn file(&self, package: &str) -> Result<Option<PathBuf>, Error> {
        let Some(inside) = self.sums.module_of(package) else { return Ok(None) };
        let module = go::module_folder(self.cache, &inside.module, &inside.version)?;
        Ok(Some(module.join(inside.folder).join(FILE)))
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => {
            let reason = format!(
                "it is not there, and says which keys kubelet knows; run `chmod -R u+w` over the cache's folder `go` and delete it, \
                 and the next build fetches it again; if that is not it, {ANOTHER}"
            );
            Error::format(path.display(), reason)
        }
        _ => Error::Io { what: path.display().to_string(), cause },
    })
}

#[cfg(test)]
mod tests;
