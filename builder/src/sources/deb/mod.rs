//! Debian packages: the archive's signed index when a lockfile is made, pool files by SHA-256 when it is used.

mod archive;
pub mod changelog;
mod control;
mod index;
pub mod origin;
mod release;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use orlop_config::definition::{DebSource, Definition, Source};
use orlop_config::lockfile::{Input, Lockfile};

pub use archive::Archive;
pub use index::{Index, Package};
use origin::Origin;

use super::Bench;
use super::cache::Key;
use super::download::Downloader;
use super::error::Error;
use super::produce::{self, Produced};
use super::unpack;
use index::Fetcher;

/// The suite of tools and libraries that no definition names a suite for.
const SUITE: &str = "trixie";

/// A package as an input of a lockfile.
fn input(kind: &str, package: Package) -> Input {
    Input {
        kind: kind.into(),
        name: package.name,
        version: package.version,
        origin: package.origin,
        sha256: package.sha256,
        size: Some(package.size),
    }
}

/// Whether a locked package is what a component's source asks for, whatever that asked for before: by its suite and name.
/// One that is followed is known by what its name has in common with that of the package that leads to it: with
/// `linux-image-cloud-amd64` and `linux-image-6.` it is `linux-image-6.…-cloud-amd64`, and no dash between.
pub fn fits(source: &DebSource, input: &Input) -> bool {
    let suite = Origin::parse(&input.origin).and_then(|origin| origin.suite.strip_prefix(&*source.suite));
    let name = match &source.follow {
        None => input.name == source.package,
        Some(start) => {
            let common = start.bytes().zip(source.package.bytes()).take_while(|(a, b)| a == b).count();
            let end = source.package.get(common..).filter(|end| !end.is_empty());
            let end = end.and_then(|end| input.name.strip_suffix(end)?.strip_suffix('-'));
            end.and_then(|rest| rest.strip_prefix(&**start)).is_some_and(|middle| !middle.contains('-'))
        }
    };
    name && suite.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Finds packages; fetches a suite's indexes when it is first asked for one.
pub struct Finder<'a> {
    bench: &'a Bench<'a>,
    archive: Archive,
    keys: &'a [&'a [u8]],
    downloader: Downloader,
    suites: BTreeMap<String, Index>,
}

impl<'a> Finder<'a> {
    /// A finder for this machine's archive.
    pub fn new(bench: &'a Bench<'a>) -> Result<Finder<'a>, Error> {
        Ok(Finder::at(bench, Archive::of_this_machine()?, &release::KEYS))
    }

    /// A finder for an archive that signs with these keys.
    pub fn at(bench: &'a Bench<'a>, archive: Archive, keys: &'a [&'a [u8]]) -> Finder<'a> {
        Finder { bench, archive, keys, downloader: Downloader::new(), suites: BTreeMap::new() }
    }

    fn index(&mut self, suite: &str) -> Result<&Index, Error> {
        if !self.suites.contains_key(suite) {
            self.bench.online(&format!("the index of {suite}"))?;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let fetcher = Fetcher {
                archive: &self.archive,
                downloader: &self.downloader,
                cache: self.bench.cache,
                report: self.bench.report,
                keys: self.keys,
                now: now.map_or(0, |now| now.as_secs()),
            };
            let index = self.bench.step(&format!("verify the index of {suite}"), || {
                Index::fetch(&fetcher, suite, suite == SUITE).map(|index| (index, String::new()))
            })?;
            self.suites.insert(suite.into(), index);
        }
        Ok(&self.suites[suite])
    }

    /// The input of a component that is a package: the newest, or in the version that is asked for.
    pub fn component(&mut self, source: &DebSource, version: Option<&str>) -> Result<Input, Error> {
        let index = self.index(&source.suite)?;
        let package = match &source.follow {
            Some(prefix) => index.follow(&source.package, prefix, version)?,
            None => index.package_in(&source.package, version)?,
        };
        Ok(input("deb", package))
    }

    /// The inputs of a tool: its package and the libraries of that, under their names in the lockfile.
    pub fn tool(&mut self, package: &str) -> Result<BTreeMap<String, Input>, Error> {
        let all = self.index(SUITE)?.with_libraries(package)?;
        let named = all.into_iter().map(|(name, found)| {
            let library = (name != package).then_some(name.as_str());
            (super::tool::input_name(package, library), input("deb", found))
        });
        Ok(named.collect())
    }

    /// The input of a library that is compiled from a source package.
    pub fn source(&mut self, package: &str) -> Result<Input, Error> {
        Ok(input("deb-source", self.index(SUITE)?.source(package)?))
    }

    /// What the archive has now in place of a locked input. A new version of a tool may ask for libraries that the
    /// old one did not: they come with it.
    pub fn successors(
        &mut self,
        definition: &Definition,
        name: &str,
        lockfile: &Lockfile,
    ) -> Result<BTreeMap<String, Input>, Error> {
        let locked = self.bench.input(lockfile, name)?;
        let mut now = BTreeMap::new();
        if let Some(rest) = name.strip_prefix("tool.") {
            now = self.tool(rest.split('.').next().unwrap_or(rest))?;
            now.retain(|input, _| input == name || !lockfile.inputs.contains_key(input));
        }
        if !now.contains_key(name) {
            now.insert(name.into(), self.successor(definition, name, locked)?);
        }
        Ok(now)
    }

    /// What the archive has now in place of one locked package.
    pub fn successor(&mut self, definition: &Definition, name: &str, locked: &Input) -> Result<Input, Error> {
        match definition.components.get(name).map(|component| &component.source) {
            Some(Source::Deb(source)) => self.component(source, None),
            _ if locked.kind == "deb-source" => self.source(&locked.name),
            _ => Ok(input("deb", self.index(SUITE)?.package(&locked.name)?)),
        }
    }

    /// The newest date of the indexes that were read.
    pub fn date(&self) -> Option<u64> {
        self.suites.values().map(|index| index.date).max()
    }
}

/// The files of a component that is a package.
pub fn build(bench: &Bench<'_>, lockfile: &Lockfile, component: &str) -> Result<Produced, Error> {
    let input = bench.input(lockfile, component)?;
    let files = produce::files(bench.cache, &Key::new("deb", 1, &[&input.sha256]), |folder| {
        let package = bench.archive_blob(lockfile, component)?;
        bench.step(&format!("unpack {component}"), || {
            unpack::deb(&package, folder)?;
            Ok(((), format!("{} {}", input.name, input.version)))
        })
    })?;
    Ok(Produced { files, version: input.version.clone(), origin: input.origin.clone(), sha256: input.sha256.clone() })
}
