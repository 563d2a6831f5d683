//! Making an archive. No time but the epoch, no order but the paths', so equal inputs give equal bytes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::format::*;

/// An image to be made.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// What it is called, such as `localhost/pause:1`.
    pub reference: &'a str,
    /// The files of its one layer.
    pub files: &'a [LayerFile],
    /// What it runs.
    pub entrypoint: &'a [String],
    /// `uid:gid` that it runs as; root when empty.
    pub user: &'a str,
    /// Every time in it, in seconds since 1970.
    pub epoch: u64,
}

/// A file of an image. It belongs to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFile {
    /// Absolute path.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// A path that is not absolute, or not in normal form.
    #[error("image file `{0}`: want an absolute path without `.`, `..` or `//`")]
    Path(String),
    /// A path twice.
    #[error("image file `{0}` twice, or below another file")]
    Twice(String),
    /// Reading or writing failed, or a path is too long for a tar.
    #[error("image archive: {0}")]
    Io(io::Error),
    /// A document that does not serialise.
    #[error("image archive")]
    Json(#[from] serde_json::Error),
}

impl From<io::Error> for OciError {
    fn from(error: io::Error) -> Self {
        OciError::Io(error)
    }
}

/// An image whose one layer lies in a file.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// A plain tar.
    pub layer: &'a Path,
    /// SHA-256 of the layer, lowercase hex.
    pub layer_sha256: &'a str,
    /// Its configuration, which names the layer.
    pub config: &'a [u8],
}

/// The archive's bytes.
pub fn archive(image: &Image<'_>) -> Result<Vec<u8>, OciError> {
    let layer = layer(image)?;
    let layer_digest = digest(&layer);
    let config = Config {
        architecture: "amd64",
        os: "linux",
        config: Process { user: image.user, entrypoint: image.entrypoint, working_dir: "/" },
        rootfs: RootFs { kind: "layers", diff_ids: [layer_digest.clone()] },
    };
    let config = serde_json::to_vec(&config)?;
    let described = Descriptor { media_type: LAYER, digest: layer_digest, size: layer.len() as u64, annotations: None };
    let documents = documents(described, &config, Some(image.reference))?;
    let blobs = [Blob::of(&layer), Blob::of(&config), Blob::of(&documents.manifest)];
    write(blobs, &documents.index, Tar::new(image.epoch, Vec::new()))
}

/// Writes the archive of an image whose layer is made already. It has no name, and no time but the first of all.
pub fn pack<W: Write>(image: &Packed<'_>, out: W) -> Result<W, OciError> {
    let size = std::fs::metadata(image.layer)?.len();
    let digest = format!("sha256:{}", image.layer_sha256);
    let described = Descriptor { media_type: LAYER, digest, size, annotations: None };
    let documents = documents(described, image.config, None)?;
    let path = format!("{BLOBS}/{}", image.layer_sha256);
    let layer = Blob { path, size, bytes: Box::new(File::open(image.layer)?) };
    write([layer, Blob::of(image.config), Blob::of(&documents.manifest)], &documents.index, Tar::new(0, out))
}

/// Manifest and index.
struct Documents {
    manifest: Vec<u8>,
    index: Vec<u8>,
}

fn documents(layer: Descriptor<'_>, config: &[u8], name: Option<&str>) -> Result<Documents, OciError> {
    let manifest =
        Manifest { schema_version: 2, media_type: MANIFEST, config: descriptor(CONFIG, config), layers: [layer] };
    let manifest = serde_json::to_vec(&manifest)?;
    let annotations = name.map(|name| Annotations { name, reference: name });
    let named = Descriptor { annotations, ..descriptor(MANIFEST, &manifest) };
    let index = serde_json::to_vec(&Index { schema_version: 2, media_type: INDEX, manifests: [named] })?;
    Ok(Documents { manifest, index })
}

/// A blob on its way into an archive.
struct Blob<'a> {
    path: String,
    size: u64,
    bytes: Box<dyn Read + 'a>,
}

impl<'a> Blob<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let path = format!("{BLOBS}/{}", hex::encode(Sha256::digest(bytes)));
        Blob { path, size: bytes.len() as u64, bytes: Box::new(bytes) }
    }
}

fn write<W: Write>(mut blobs: [Blob<'_>; 3], index: &[u8], mut tar: Tar<W>) -> Result<W, OciError> {
    blobs.sort_by(|one, other| one.path.cmp(&other.path));
    tar.folder("blobs")?;
    tar.folder(BLOBS)?;
    let mut done = BTreeSet::new();
    for Blob { path, size, bytes } in blobs {
        if done.insert(path.clone()) {
            tar.append(&path, (tar::EntryType::Regular, 0o644), (size, bytes))?;
        }
    }
    tar.file("index.json", 0o644, index)?;
    tar.file("oci-layout", 0o644, LAYOUT.as_bytes())?;
    tar.finish()
}

/// The layer: every folder before what is in it.
fn layer(image: &Image<'_>) -> Result<Vec<u8>, OciError> {
    let mut files: Vec<_> = image.files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut tar = Tar::new(image.epoch, Vec::new());
    let mut folders = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for file in files {
        let path = relative(&file.path)?;
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if seen.contains(folder) {
                return Err(OciError::Twice(file.path.clone()));
            }
            if folders.insert(folder) {
                tar.folder(folder)?;
            }
        }
        if folders.contains(path) || !seen.insert(path) {
            return Err(OciError::Twice(file.path.clone()));
        }
        tar.file(path, file.mode, &file.bytes)?;
    }
    tar.finish()
}

fn relative(path: &str) -> Result<&str, OciError> {
    let relative = path.strip_prefix('/').filter(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    relative.ok_or_else(|| OciError::Path(path.to_owned()))
}

struct Tar<W: Write> {
    builder: tar::Builder<W>,
    epoch: u64,
}

impl<W: Write> Tar<W> {
    fn new(epoch: u64, out: W) -> Self {
        Tar { builder: tar::Builder::new(out), epoch }
    }

    fn folder(&mut self, path: &str) -> Result<(), OciError> {
        self.append(&format!("{path}/"), (tar::EntryType::Directory, 0o755), (0, io::empty()))
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), OciError> {
        self.append(path, (tar::EntryType::Regular, mode), (bytes.len() as u64, bytes))
    }

    fn append(
        &mut self,
        path: &str,
        (kind, mode): (tar::EntryType, u32),
        (size, bytes): (u64, impl Read),
    ) -> Result<(), OciError> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode & 0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.epoch);
        header.set_size(size);
        header.set_path(path)?;
        header.set_cksum();
        Ok(self.builder.append(&header, bytes)?)
    }

    fn finish(self) -> Result<W, OciError> {
        Ok(self.builder.into_inner()?)
    }
}

fn descriptor(media_type: &'static str, bytes: &[u8]) -> Descriptor<'static> {
    Descriptor { media_type, digest: digest(bytes), size: bytes.len() as u64, annotations: None }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;
    use std::io::Read;

    fn file(path: &str) -> LayerFile {
        LayerFile { path: path.to_owned(), mode: 0o755, bytes: path.as_bytes().to_vec() }
    }

    fn made(files: &[LayerFile]) -> Result<Vec<u8>, OciError> {
        let entrypoint = ["/pause".to_owned()];
        archive(&Image {
            reference: "localhost/pause:1",
            files,
            entrypoint: &entrypoint,
            user: "65535:65535",
            epoch: 7,
        })
    }

    fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (7, 0));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            members.insert(entry.path().unwrap().to_string_lossy().into_owned(), bytes);
        }
        members
    }

    #[test]
    fn every_digest_leads_to_its_blob_and_the_layer_has_the_files() {
        let members = members(&made(&[file("/usr/bin/tool"), file("/pause")]).unwrap());
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let blob = |value: &Value| {
            let bytes = &members[&value["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/")];
            assert_eq!(value["size"], bytes.len());
            bytes.clone()
        };
        let index = json(&members["index.json"]);
        assert_eq!(index["manifests"][0]["annotations"]["io.containerd.image.name"], "localhost/pause:1");
        let manifest = json(&blob(&index["manifests"][0]));
        let config = json(&blob(&manifest["config"]));
        assert_eq!(config["config"]["Entrypoint"][0], "/pause");
        assert_eq!(config["config"]["User"], "65535:65535");
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        let layer = self::members(&blob(&manifest["layers"][0]));
        assert_eq!(layer.keys().collect::<Vec<_>>(), ["pause", "usr/", "usr/bin/", "usr/bin/tool"]);
        assert_eq!(layer["pause"], b"/pause");
    }

    #[test]
    fn the_order_of_the_files_does_not_matter() {
        let one = made(&[file("/a"), file("/b/c")]).unwrap();
        assert_eq!(one, made(&[file("/b/c"), file("/a")]).unwrap());
    }

    #[test]
    fn paths_that_make_no_sense_are_named() {
        for bad in ["pause", "/a/../b", "//a", "/"] {
            assert!(matches!(made(&[file(bad)]), Err(OciError::Path(path)) if path == bad));
        }
        assert!(matches!(made(&[file("/a"), file("/a")]), Err(OciError::Twice(_))));
        assert!(matches!(made(&[file("/a"), file("/a/b")]), Err(OciError::Twice(_))));
    }
}
