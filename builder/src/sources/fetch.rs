//! Fills the cache with everything that a lockfile names, so that a build needs no network.

use orlop_config::definition::Source;
use orlop_config::lockfile::{Input, Lockfile};

use super::bench::{explain, wanted};
use super::download::{Downloader, Wanted, fetch_all};
use super::error::{Error, Gone};
use super::{Bench, Project, deb, go, lock, oci, workspace, zig};

/// How many files are downloaded at a time.
pub(super) const AT_A_TIME: usize = 4;

/// Fetches every input of a lockfile that is not in the cache.
pub fn fetch(bench: &Bench<'_>, project: &Project, lockfile: &Lockfile) -> Result<(), Error> {
    let lost = download(bench, lockfile, &deb::Archive::of_this_machine)?;
    if !lost.is_empty() {
        return Err(Error::Gone(replacements(bench, project, lockfile, lost)));
    }
    if let Some(input) = lockfile.inputs.get("toolchain.zig") {
        zig::fetch(bench, input)?;
    }
    if lockfile.inputs.contains_key("toolchain.go") {
        let toolchain = go::locked_toolchain(bench, lockfile)?;
        for (name, component) in &project.definition().components {
            if let Source::Go(source) = &component.source {
                go::fetch_modules(bench, &toolchain, (name, source), &lock::module(project, lockfile, name)?)?;
            }
        }
    }
    for (name, component) in &project.definition().components {
        if let Source::Oci(source) = &component.source {
            oci::fetch(bench, lockfile, name, source)?;
        }
    }
    if project.definition().components.values().any(|component| matches!(component.source, Source::Workspace(_))) {
        workspace::fetch(bench)?;
    }
    Ok(())
}

/// Downloads what is missing; gives what the archive does not have any more.
pub(super) fn download(
    bench: &Bench<'_>,
    lockfile: &Lockfile,
    archive: &dyn Fn() -> Result<deb::Archive, Error>,
) -> Result<Vec<Gone>, Error> {
    let downloaded = |input: &Input| matches!(input.kind.as_str(), "deb" | "deb-source" | "url");
    let missing: Vec<(&String, &Input)> = lockfile
        .inputs
        .iter()
        .filter(|(_, input)| downloaded(input) && !bench.cache.has(&input.sha256, input.size))
        .collect();
    if let Some((name, _)) = missing.first() {
        bench.online(name)?;
    }
    let wanted = |(name, input): &(&String, &Input)| wanted(name, input, archive);
    let files = missing.iter().map(wanted).collect::<Result<Vec<Wanted>, Error>>()?;
    let results = fetch_all(&Downloader::new(), bench.cache, &files, AT_A_TIME, bench.report);
    let mut lost = Vec::new();
    for ((name, input), result) in missing.iter().zip(results) {
        match result.map_err(|error| explain(name, input, error)) {
            Ok(_) => {}
            Err(Error::Gone(these)) => lost.extend(these),
            Err(error) => return Err(error),
        }
    }
    Ok(lost)
}

/// Looks up what the archive has now in place of what is gone; without an answer the names alone are reported.
fn replacements(bench: &Bench<'_>, project: &Project, lockfile: &Lockfile, lost: Vec<Gone>) -> Vec<Gone> {
    let found = deb::Finder::new(bench).and_then(|mut finder| {
        lost.iter()
            .map(|gone| {
                let input = bench.input(lockfile, &gone.input)?;
                let now = finder.successor(project.definition(), &gone.input, input)?;
                Ok(Gone { replacement: Some(format!("{} {}", now.name, now.version)), ..gone.clone() })
            })
            .collect::<Result<Vec<_>, Error>>()
    });
    found.unwrap_or(lost)
}
