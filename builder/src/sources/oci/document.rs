//! The documents of an image in a registry: index, manifest, configuration; OCI's and Docker's (schema 2). They come
//! from somebody else: what is not known is refused by name.

use std::fmt::Display;

use orlop_config::definition::is_sha256;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::error::Error;

/// Documents are small; node/cri reads none that is bigger.
pub const LARGEST: u64 = 4 << 20;
/// Of one layer as it is sent.
const LARGEST_LAYER: u64 = 4 << 30;
/// As many as an image of anybody's has; overlayfs knows no more.
const MOST_LAYERS: usize = 128;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// Plain, gzip and zstd: which of them it is, its first bytes say.
const LAYERS: [&str; 5] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
];

/// What a registry is asked for.
pub fn accepted() -> String {
    [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ")
}

/// A blob, as documents name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    media_type: String,
    digest: String,
    /// Bytes.
    pub size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

/// What a document or an image is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

impl Platform {
    fn is_ours(&self) -> bool {
        self.os == "linux" && self.architecture == "amd64"
    }
}

impl Display for Platform {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)
    }
}

impl Descriptor {
    /// SHA-256, lowercase hex.
    pub fn sha256(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or_default()
    }

    fn check(&self, what: &str, known: &[&str], largest: u64) -> Result<(), Error> {
        let Descriptor { media_type, digest, size, .. } = self;
        if !known.contains(&media_type.as_str()) {
            return Err(Error::format(
                what,
                format!("{digest} has the media type `{media_type}`, want {}", list(known)),
            ));
        }
        if !is_sha256(self.sha256()) {
            return Err(Error::format(what, format!("`{digest}` is no SHA-256 digest")));
        }
        if *size > largest {
            return Err(Error::format(what, format!("{digest} has {size} bytes, at most {largest} are taken")));
        }
        Ok(())
    }
}

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// An index: the manifest for linux/amd64 in it.
    Index(Descriptor),
    /// A manifest.
    Manifest(Manifest),
}

/// An image's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// Reads an index or a manifest. `served` is what the registry calls it; `what` is named in errors.
pub fn read(what: &str, bytes: &[u8], served: Option<&str>) -> Result<Document, Error> {
    let head: Head = json(what, bytes)?;
    if head.schema_version != 2 {
        let version = head.schema_version;
        return Err(Error::format(
            what,
            format!("its schemaVersion is {version}, want 2; push it with a tool of today"),
        ));
    }
    // OCI's documents need not say what they are.
    let own = head.media_type.as_deref();
    let served = served.map(|served| served.split(';').next().unwrap_or_default().trim());
    if let (Some(own), Some(served)) = (own, served)
        && own != served
    {
        return Err(Error::format(what, format!("the registry calls it `{served}`, itself says `{own}`")));
    }
    let by_form = if head.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST };
    match own.or(served).unwrap_or(by_form) {
        OCI_INDEX | DOCKER_LIST => Ok(Document::Index(choose(what, json(what, bytes)?)?)),
        OCI_MANIFEST | DOCKER_MANIFEST => Ok(Document::Manifest(manifest(what, json(what, bytes)?)?)),
        other => {
            let known = list(&[OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST]);
            Err(Error::format(what, format!("its media type is `{other}`, want {known}")))
        }
    }
}

fn choose(what: &str, Index { manifests }: Index) -> Result<Descriptor, Error> {
    let ours = manifests.iter().find(|entry| entry.platform.as_ref().is_some_and(Platform::is_ours));
    let Some(ours) = ours else {
        let platforms = manifests.iter().filter_map(|entry| entry.platform.as_ref()).map(Platform::to_string);
        let platforms = platforms.collect::<Vec<_>>().join(", ");
        return Err(Error::format(what, format!("it has no image for linux/amd64, only for: {platforms}")));
    };
    ours.check(what, &[OCI_MANIFEST, DOCKER_MANIFEST], LARGEST)?;
    Ok(ours.clone())
}

fn manifest(what: &str, manifest: Manifest) -> Result<Manifest, Error> {
    manifest.config.check(what, &CONFIGS, LARGEST)?;
    for layer in &manifest.layers {
        layer.check(what, &LAYERS, LARGEST_LAYER)?;
    }
    match manifest.layers.len() {
        1..=MOST_LAYERS => Ok(manifest),
        count => Err(Error::format(what, format!("it has {count} layers, want 1 to {MOST_LAYERS}"))),
    }
}

/// An image's configuration, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct Config {
    #[serde(flatten)]
    platform: Platform,
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Config {
    /// Reads it, and holds it against the manifest.
    pub fn read(what: &str, bytes: &[u8], manifest: &Manifest) -> Result<Config, Error> {
        let config: Config = json(what, bytes)?;
        if !config.platform.is_ours() {
            return Err(Error::format(what, format!("the image is for {}, want linux/amd64", config.platform)));
        }
        let (ids, layers) = (config.rootfs.diff_ids.len(), manifest.layers.len());
        if ids != layers {
            return Err(Error::format(what, format!("its configuration names {ids} layers, its manifest {layers}")));
        }
        Ok(config)
    }

    /// `sha256:…` of each layer's tar, lowest first.
    pub fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }
}

/// The configuration of the same image with one layer in place of all. Who made which layer is no longer true of it.
pub fn with_one_layer(what: &str, config: &[u8], diff_id: &str) -> Result<Vec<u8>, Error> {
    let mut config: serde_json::Map<String, serde_json::Value> = json(what, config)?;
    config.remove("history");
    config.insert("rootfs".into(), serde_json::json!({"type": "layers", "diff_ids": [diff_id]}));
    serde_json::to_vec(&config).map_err(|error| Error::format(what, error))
}

fn json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::format(what, error))
}

fn list(known: &[&str]) -> String {
    known.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" or ")
}
