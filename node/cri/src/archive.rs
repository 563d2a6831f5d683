//! The OCI archive (image layout in a tar): where its files lie, and the image that it holds. Layers are not read into
//! memory; their place in the file is kept.

use crate::layer::Section;
use crate::{Error, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Documents (index, manifest) are small; anything bigger is not one.
const LARGEST_DOCUMENT: u64 = 4 << 20;
/// The annotations that may carry an image's full name, containerd's own first.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
/// Media types of an index, OCI's and Docker's.
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
/// The platform that this program runs on, in OCI's words.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// A blob by its digest, as OCI documents name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it holds.
    pub media_type: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// Its length.
    pub size: i64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// One image: the manifest's descriptor, and what it refers to in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// The manifest.
    pub manifest: Descriptor,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
}

impl Image {
    /// All blobs, what is referred to before what refers to it.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.layers.iter().chain([&self.config, &self.manifest])
    }

    /// The names that the layers have as snapshots, lowest first: each stands for all below it (OCI image specification,
    /// "Layer ChainID"). The layers are plain tars, so that a blob's digest is its layer's.
    pub fn chain(&self) -> Vec<String> {
        let mut chain: Vec<String> = Vec::new();
        for layer in &self.layers {
            chain.push(match chain.last() {
                None => layer.digest.clone(),
                Some(below) => format!("sha256:{}", hex::encode(Sha256::digest(format!("{below} {}", layer.digest)))),
            });
        }
        chain
    }

    /// The labels by which containerd's garbage collector follows a blob to what it refers to.
    pub fn labels(&self, blob: &Descriptor, snapshotter: &str) -> BTreeMap<String, String> {
        if blob == &self.manifest {
            self.manifest_labels()
        } else if blob == &self.config {
            let snapshot = self.chain().pop().map(|top| (format!("containerd.io/gc.ref.snapshot.{snapshotter}"), top));
            snapshot.into_iter().collect()
        } else {
            BTreeMap::new()
        }
    }

    fn manifest_labels(&self) -> BTreeMap<String, String> {
        let config = [("containerd.io/gc.ref.content.config".to_owned(), self.config.digest.clone())];
        let layers = self
            .layers
            .iter()
            .enumerate()
            .map(|(n, layer)| (format!("containerd.io/gc.ref.content.l.{n}"), layer.digest.clone()));
        config.into_iter().chain(layers).collect()
    }
}

/// An opened archive. `R` is a file on the node and bytes in tests.
pub struct Archive<R> {
    path: PathBuf,
    reader: R,
    /// Name → offset and length of its content.
    files: BTreeMap<String, (u64, u64)>,
}

impl Archive<File> {
    /// Opens the file and reads where everything lies.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::new(path, file)
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads where everything lies; `path` is for messages.
    pub fn new(path: &Path, mut reader: R) -> Result<Self> {
        let files = places(&mut reader).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), reader, files })
    }

    /// The image of that name; an archive with one image holds it under whatever name.
    pub fn image(&mut self, reference: &str) -> Result<Image> {
        let index: Index = self.document("index.json", None)?;
        let mut manifest = self.choose(index, |entry| named(entry, reference), reference)?;
        if INDEXES.contains(&manifest.media_type.as_str()) {
            let index: Index = self.blob_document(&manifest)?;
            manifest = self.choose(index, runs_here, reference)?;
        }
        let Manifest { config, layers } = self.blob_document(&manifest)?;
        let Config { rootfs } = self.blob_document(&config)?;
        if !rootfs.diff_ids.iter().eq(layers.iter().map(|layer| &layer.digest)) {
            return Err(self
                .wrong(format!("{reference} has layers that are no plain tars: nothing could be compared with them")));
        }
        Ok(Image { manifest, config, layers })
    }

    /// The one entry, or the one that is wanted.
    fn choose(&self, index: Index, wanted: impl Fn(&Descriptor) -> bool, reference: &str) -> Result<Descriptor> {
        let mut entries = index.manifests;
        if entries.len() != 1 {
            entries.retain(wanted);
        }
        match entries.pop() {
            Some(entry) if entries.is_empty() => Ok(entry),
            _ => Err(self.wrong(format!("it does not hold exactly one image for {reference}"))),
        }
    }

    /// Hashes the whole blob, so that nothing is handed on that is not what its name says.
    pub fn check(&mut self, blob: &Descriptor) -> Result<()> {
        let expected = self.hex_digest(blob)?.to_owned();
        let (offset, length) = self.place(blob)?;
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < length {
            let chunk = self.read_at(offset + at, (length - at).min(1 << 20))?;
            hash.update(&chunk);
            at += chunk.len() as u64;
        }
        let got = hex::encode(hash.finalize());
        if got == expected {
            Ok(())
        } else {
            Err(self.wrong(format!("blob sha256:{expected} has the digest sha256:{got}")))
        }
    }

    /// At most `length` bytes of the blob from `at`; none at its end.
    pub fn chunk(&mut self, blob: &Descriptor, at: u64, length: u64) -> Result<Vec<u8>> {
        let (offset, whole) = self.place(blob)?;
        self.read_at(offset + at, whole.saturating_sub(at).min(length))
    }

    /// A blob as a file of its own.
    pub fn section(&mut self, blob: &Descriptor) -> Result<Section<'_, R>> {
        let (offset, length) = self.place(blob)?;
        Ok(Section::new(&mut self.reader, offset, length))
    }

    /// The error of reading a blob.
    pub fn failed(&self, source: io::Error) -> Error {
        Error::Read { path: self.path.clone(), source }
    }

    fn blob_document<T: serde::de::DeserializeOwned>(&mut self, blob: &Descriptor) -> Result<T> {
        self.check(blob)?;
        let name = self.blob_name(blob)?;
        self.document(&name, Some(blob))
    }

    fn document<T: serde::de::DeserializeOwned>(&mut self, name: &str, blob: Option<&Descriptor>) -> Result<T> {
        let (offset, length) = match blob {
            Some(blob) => self.place(blob)?,
            None => self.file(name)?,
        };
        if length > LARGEST_DOCUMENT {
            return Err(self.wrong(format!("{name} has {length} bytes; at most {LARGEST_DOCUMENT}")));
        }
        let bytes = self.read_at(offset, length)?;
        serde_json::from_slice(&bytes).map_err(|error| self.wrong(format!("{name}: {error}")))
    }

    fn place(&self, blob: &Descriptor) -> Result<(u64, u64)> {
        let (offset, length) = self.file(&self.blob_name(blob)?)?;
        if u64::try_from(blob.size) == Ok(length) {
            Ok((offset, length))
        } else {
            Err(self.wrong(format!("blob {} has {length} bytes; its descriptor says {}", blob.digest, blob.size)))
        }
    }

    fn file(&self, name: &str) -> Result<(u64, u64)> {
        let place = self.files.get(name).copied();
        place.ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    fn blob_name(&self, blob: &Descriptor) -> Result<String> {
        Ok(format!("blobs/sha256/{}", self.hex_digest(blob)?))
    }

    fn hex_digest<'a>(&self, blob: &'a Descriptor) -> Result<&'a str> {
        let lower_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        match blob.digest.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.bytes().all(lower_hex) => Ok(hex),
            _ => Err(self.wrong(format!("not a SHA-256 digest: {:?}", blob.digest))),
        }
    }

    fn read_at(&mut self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self
            .reader
            .seek(SeekFrom::Start(offset))
            .and_then(|_| (&mut self.reader).take(length).read_to_end(&mut bytes));
        match read {
            Ok(read) if read as u64 == length => Ok(bytes),
            Ok(_) => Err(self.wrong(format!("it ends before offset {}", offset + length))),
            Err(source) => Err(Error::Read { path: self.path.clone(), source }),
        }
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Archive { path: self.path.clone(), reason }
    }
}

/// Walks the tar's headers, without reading the content between them.
fn places(reader: &mut (impl Read + Seek)) -> io::Result<BTreeMap<String, (u64, u64)>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(reader).entries_with_seek()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            files.insert(name, (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(files)
}

fn named(entry: &Descriptor, reference: &str) -> bool {
    let has = |key: &&str| entry.annotations.get(*key).is_some_and(|name| name == reference);
    NAMES.iter().any(has)
}

fn runs_here(entry: &Descriptor) -> bool {
    let here = |platform: &Platform| platform.os == "linux" && platform.architecture == ARCHITECTURE;
    entry.platform.as_ref().is_some_and(here)
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
