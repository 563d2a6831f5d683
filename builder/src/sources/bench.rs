//! What every step works with: the cache, the network (or none), and somebody who is told.

use std::path::PathBuf;

use orlop_config::lockfile::{Input, Lockfile};

use super::cache::Cache;
use super::deb;
use super::download::{Downloader, Wanted};
use super::error::Error;
use super::progress::{Report, step};
use super::url;

/// What every step works with.
pub struct Bench<'a> {
    /// Where everything is kept.
    pub cache: &'a Cache,
    /// Who is told.
    pub report: &'a dyn Report,
    /// Open no connection.
    pub offline: bool,
    /// How many things may run beside each other in a compilation.
    pub jobs: usize,
}

impl Bench<'_> {
    /// Refuses when no connection may be opened for an input that is not in the cache.
    pub fn online(&self, input: &str) -> Result<(), Error> {
        if self.offline { Err(Error::Offline { input: input.into() }) } else { Ok(()) }
    }

    /// A step with its name and time.
    pub fn step<T>(&self, name: &str, run: impl FnOnce() -> Result<(T, String), Error>) -> Result<T, Error> {
        step(self.report, name, run)
    }

    /// An input of the lockfile.
    pub fn input<'l>(&self, lockfile: &'l Lockfile, name: &str) -> Result<&'l Input, Error> {
        let missing = || Error::Lock(format!("the lockfile of `{}` has no input `{name}`", lockfile.definition));
        lockfile.inputs.get(name).ok_or_else(missing)
    }

    /// The verified blob of an input; a missing or damaged one is fetched.
    pub(super) fn blob(
        &self,
        name: &str,
        input: &Input,
        fetch: impl FnOnce(&Self) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        match self.cache.blob(&input.sha256) {
            Ok(Some(path)) => return Ok(path),
            Ok(None) => {}
            Err(error @ Error::Corrupt { .. }) => self.report.note(&error.to_string()),
            Err(error) => return Err(error),
        }
        self.online(name)?;
        fetch(self)?;
        self.cache.blob(&input.sha256)?.ok_or_else(|| Error::format(name, "was fetched, and is not in the cache"))
    }

    /// The same for what is downloaded from the Debian archive or an address.
    pub(super) fn archive_blob(&self, lockfile: &Lockfile, name: &str) -> Result<PathBuf, Error> {
        let input = self.input(lockfile, name)?;
        self.blob(name, input, |bench| {
            let wanted = wanted(name, input, &deb::Archive::of_this_machine)?;
            let fetched = bench.step(&wanted.step(), || {
                Downloader::new().fetch(bench.cache, &wanted, bench.report).map(|_| ((), String::new()))
            });
            fetched.map_err(|error| explain(name, input, error))
        })
    }
}

/// What is to be downloaded for an input; the archive is asked for where it is a package.
pub(super) fn wanted(
    name: &str,
    input: &Input,
    archive: &dyn Fn() -> Result<deb::Archive, Error>,
) -> Result<Wanted, Error> {
    if input.kind == "url" {
        return Ok(url::wanted(name, input));
    }
    let bad = || Error::Lock(format!("input `{name}`: `{}` is no file of the Debian archive", input.origin));
    let address = archive()?.locate(&input.origin).ok_or_else(bad)?;
    Ok(Wanted { input: name.into(), url: address, sha256: Some(input.sha256.clone()), size: input.size })
}

/// A package that is not there any more is its own kind of error; a file that is not what the definition says of it is
/// accepted there and nowhere else.
pub(super) fn explain(name: &str, input: &Input, error: Error) -> Error {
    match error {
        Error::NotFound { .. } if input.kind.starts_with("deb") => Error::Gone(vec![super::Gone {
            input: name.into(),
            locked: format!("{} {}", input.name, input.version),
            replacement: None,
        }]),
        Error::WrongHash { input: name, expected, got, from, .. } if input.kind == "url" => {
            let next =
                format!("change `sha256` of component `{name}` in the definition, and run `orlop lock DEFINITION`");
            Error::WrongHash { input: name, expected, got, from, next }
        }
        other => other,
    }
}
