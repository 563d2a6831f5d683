//! Container images of a registry, for the preload of nodes that reach none: locked by the digest of their manifest, which
//! names all else by digest, fetched blob by blob into the cache, and packed anew, as the node compares it: one plain
//! layer in an OCI archive.

mod challenge;
mod credentials;
mod document;
mod flatten;
mod helper;
mod registry;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use orlop_config::definition::{ImageReference, OciSource};
use orlop_config::lockfile::{Input, Lockfile};

use self::document::{Config, Document, Manifest};
use self::registry::{Registry, Settings};
use super::Bench;
use super::cache::Key;
use super::error::{At, Error, relock};
use super::produce::{self, Produced};

/// The one file that a component of this kind yields: an OCI archive.
pub const ARCHIVE: &str = "image.tar";
/// What everybody calls a registry, the host that answers for it, and what `docker login` files its credentials under.
const HUB: (&str, &str, &str) = ("docker.io", "registry-1.docker.io", "https://index.docker.io/v1/");

/// What a lockfile says of an image, but for its manifest's digest and size.
pub fn asked(source: &OciSource) -> Result<Input, Error> {
    let reference = reference(source)?;
    let digest = reference.digest.as_ref().map(|digest| format!("sha256:{}", &digest[..12]));
    Ok(Input {
        kind: "oci".into(),
        name: reference.name(),
        version: reference.tag.clone().or(digest).unwrap_or_default(),
        origin: source.reference.clone(),
        sha256: String::new(),
        size: None,
    })
}

fn reference(source: &OciSource) -> Result<ImageReference, Error> {
    ImageReference::parse(&source.reference).map_err(|error| Error::format(&source.reference, error))
}

/// Finds the manifest for the node's platform.
pub fn lock(bench: &Bench<'_>, component: &str, source: &OciSource) -> Result<Input, Error> {
    lock_by(bench, component, source, &Settings::of_this_machine())
}

fn lock_by(bench: &Bench<'_>, component: &str, source: &OciSource, settings: &Settings) -> Result<Input, Error> {
    let reference = reference(source)?;
    let image = Image::new(bench, component, &reference, settings);
    let Some(digest) = &reference.digest else { return Err(image.without_digest()) };
    let found = image.manifest(digest)?;
    image.config(&found.manifest)?;
    Ok(Input { sha256: found.sha256, size: Some(found.size), ..asked(source)? })
}

/// Fetches what is not in the cache.
pub fn fetch(bench: &Bench<'_>, lockfile: &Lockfile, component: &str, source: &OciSource) -> Result<(), Error> {
    let (reference, settings) = (reference(source)?, Settings::of_this_machine());
    let image = Image::new(bench, component, &reference, &settings);
    image.parts(bench.input(lockfile, component)?).map(drop)
}

/// The image as an archive.
pub fn build(bench: &Bench<'_>, lockfile: &Lockfile, component: &str, source: &OciSource) -> Result<Produced, Error> {
    build_by(bench, bench.input(lockfile, component)?, (component, source), &Settings::of_this_machine())
}

fn build_by(
    bench: &Bench<'_>,
    input: &Input,
    (component, source): (&str, &OciSource),
    settings: &Settings,
) -> Result<Produced, Error> {
    let reference = reference(source)?;
    let image = Image::new(bench, component, &reference, settings);
    let files = produce::files(bench.cache, &Key::new("oci", 1, &[&input.sha256]), |folder| {
        let parts = image.parts(input)?;
        bench.step(&format!("unpack {component}"), || pack(bench, component, &parts, &folder.join(ARCHIVE)))
    })?;
    Ok(Produced { files, version: input.version.clone(), origin: input.origin.clone(), sha256: input.sha256.clone() })
}

/// Packs an image anew.
fn pack(bench: &Bench<'_>, component: &str, parts: &Parts, to: &Path) -> Result<((), String), Error> {
    let scratch = tempfile::tempdir_in(bench.cache.folder("partial")?).at("a temporary folder")?;
    let what = format!("component `{component}`");
    let layer = flatten::flatten(&what, &parts.layers, parts.config.diff_ids(), scratch.path())?;
    let config = document::with_one_layer(&what, &parts.config_bytes, &format!("sha256:{}", layer.sha256))?;
    let file = fs::File::create(to).at(to.display())?;
    let packed = crate::formats::oci::Packed { layer: &layer.file, layer_sha256: &layer.sha256, config: &config };
    crate::formats::oci::pack(&packed, std::io::BufWriter::new(file)).map_err(|error| Error::format(&what, error))?;
    let bytes = fs::metadata(to).at(to.display())?.len();
    Ok(((), format!("{} layers, {:.1} MB", parts.layers.len(), bytes as f64 / 1e6)))
}

/// An image that is being looked for.
struct Image<'a> {
    bench: &'a Bench<'a>,
    component: &'a str,
    reference: &'a ImageReference,
    registry: Registry<'a>,
}

/// A manifest, and how it is named.
struct Found {
    manifest: Manifest,
    sha256: String,
    size: u64,
}

/// All that an image is made of, in the cache.
struct Parts {
    config: Config,
    config_bytes: Vec<u8>,
    /// Lowest first.
    layers: Vec<PathBuf>,
}

impl<'a> Image<'a> {
    fn new(bench: &'a Bench<'a>, component: &'a str, reference: &'a ImageReference, settings: &'a Settings) -> Self {
        Image { bench, component, reference, registry: Registry::new(component, reference, settings) }
    }

    /// A tag is asked for once, to say what to write.
    fn without_digest(&self) -> Error {
        let asked = self.bench.online(self.component).and_then(|()| {
            let tag = self.reference.tag.as_deref().unwrap_or("latest");
            let (bytes, served) = self.registry.document(tag)?;
            document::read(&format!("{}:{tag}", self.reference.name()), &bytes, served.as_deref())?;
            Ok(super::cache::hash(&bytes))
        });
        match asked {
            Ok(digest) => Error::Unresolved(format!(
                "component `{}`: `{}` names no digest, and may mean another image tomorrow; write what it is now: \
                 reference = \"{}@sha256:{digest}\"",
                self.component, self.reference, self.reference
            )),
            Err(error) => error,
        }
    }

    /// The manifest that a digest leads to, by an index or at once.
    fn manifest(&self, digest: &str) -> Result<Found, Error> {
        let (bytes, document) = self.document(digest)?;
        match document {
            Document::Manifest(manifest) => Ok(Found { manifest, sha256: digest.into(), size: bytes }),
            Document::Index(ours) => match self.document(ours.sha256())? {
                (bytes, Document::Manifest(manifest)) if bytes == ours.size => {
                    Ok(Found { manifest, sha256: ours.sha256().into(), size: bytes })
                }
                (bytes, Document::Manifest(_)) => {
                    let says = ours.size;
                    Err(self.wrong(ours.sha256(), format!("it has {bytes} bytes, the index says {says}")))
                }
                (_, Document::Index(_)) => Err(self.wrong(ours.sha256(), "an index in an index".into())),
            },
        }
    }

    /// A document out of the cache, or from the registry: its size, and what it says.
    fn document(&self, digest: &str) -> Result<(u64, Document), Error> {
        let mut served = None;
        let path = self.bench.blob(self.component, &self.input(digest), |bench| {
            let (bytes, kind) = self.registry.document(&format!("sha256:{digest}"))?;
            let got = super::cache::hash(&bytes);
            if got != digest {
                let (input, from) = (self.component.to_owned(), self.reference.to_string());
                let expected = digest.to_owned();
                let next = format!("write its new digest into component `{input}` of the definition");
                return Err(Error::WrongHash { input, expected, got, from, next });
            }
            // What cannot be used is not kept.
            document::read(&self.named(digest), &bytes, kind.as_deref())?;
            served = kind;
            bench.cache.insert(bytes.as_slice()).map(drop)
        })?;
        let bytes = fs::read(&path).at(path.display())?;
        Ok((bytes.len() as u64, document::read(&self.named(digest), &bytes, served.as_deref())?))
    }

    fn config(&self, manifest: &Manifest) -> Result<(Config, Vec<u8>), Error> {
        let path = self.part(&manifest.config)?;
        let bytes = fs::read(&path).at(path.display())?;
        Ok((Config::read(&self.named(manifest.config.sha256()), &bytes, manifest)?, bytes))
    }

    /// All of it, as it was locked.
    fn parts(&self, input: &Input) -> Result<Parts, Error> {
        let digest = self.reference.digest.as_deref().unwrap_or_default();
        let found = self.manifest(digest)?;
        if (&found.sha256, Some(found.size)) != (&input.sha256, input.size) {
            let (locked, next) = (&input.sha256, relock(self.component));
            return Err(Error::format(
                format!("component `{}`", self.component),
                format!("the lockfile has the manifest {locked}, {} leads to {}; {next}", self.reference, found.sha256),
            ));
        }
        let (config, config_bytes) = self.config(&found.manifest)?;
        let layers = found.manifest.layers.iter().map(|layer| self.part(layer)).collect::<Result<_, _>>()?;
        Ok(Parts { config, config_bytes, layers })
    }

    /// A blob in the cache, fetched if need be.
    fn part(&self, blob: &document::Descriptor) -> Result<PathBuf, Error> {
        let path =
            self.bench.blob(self.component, &self.input(blob.sha256()), |bench| self.registry.blob(bench, blob))?;
        let bytes = fs::metadata(&path).at(path.display())?.len();
        if bytes == blob.size {
            return Ok(path);
        }
        Err(self.wrong(blob.sha256(), format!("it has {bytes} bytes, the manifest says {}", blob.size)))
    }

    fn input(&self, sha256: &str) -> Input {
        Input {
            kind: "oci".into(),
            name: self.reference.name(),
            version: String::new(),
            origin: self.reference.to_string(),
            sha256: sha256.into(),
            size: None,
        }
    }

    fn named(&self, sha256: &str) -> String {
        format!("component `{}`: {}@sha256:{sha256}", self.component, self.reference.name())
    }

    fn wrong(&self, sha256: &str, reason: String) -> Error {
        Error::format(self.named(sha256), reason)
    }
}
