//! Release files by address and SHA-256, as they are or unpacked.

use orlop_config::definition::UrlSource;
use orlop_config::lockfile::{Input, Lockfile};

use super::Bench;
use super::cache::Key;
use super::download::Wanted;
use super::error::{At, Error};
use super::produce::{self, Produced};
use super::unpack;

/// An input for a release file; the definition itself says its digest.
pub fn lock(component: &str, source: &UrlSource) -> Input {
    Input {
        kind: "url".into(),
        name: component.into(),
        version: source.version.clone(),
        origin: source.url.clone(),
        sha256: source.sha256.clone(),
        size: None,
    }
}

/// What is to be downloaded for an input.
pub fn wanted(name: &str, input: &Input) -> Wanted {
    Wanted { input: name.into(), url: input.origin.clone(), sha256: Some(input.sha256.clone()), size: input.size }
}

/// The file, or what is in it.
pub fn build(bench: &Bench<'_>, lockfile: &Lockfile, component: &str, source: &UrlSource) -> Result<Produced, Error> {
    let input = bench.input(lockfile, component)?;
    let name = source.url.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(component);
    let name = name.split(['?', '#']).next().unwrap_or(component);
    let how = if source.unpack { "unpack" } else { name };
    let files = produce::files(bench.cache, &Key::new("url", 1, &[&input.sha256, how]), |folder| {
        let blob = bench.archive_blob(lockfile, component)?;
        if source.unpack {
            let what = format!("{} ({})", source.url, blob.display());
            let file = std::fs::File::open(&blob).at(&what)?;
            return unpack::tar(unpack::decompress(file, &what)?, folder, 0, &what);
        }
        std::fs::copy(&blob, folder.join(name)).at(blob.display()).map(|_| ())
    })?;
    Ok(Produced { files, version: input.version.clone(), origin: input.origin.clone(), sha256: input.sha256.clone() })
}
