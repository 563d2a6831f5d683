//! Making an archive. No time but the epoch, no order but the paths', so equal inputs give equal bytes.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;
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
    /// Writing into memory failed: a path too long for a tar.
    #[error("image archive")]
    Io(#[from] io::Error),
    /// A document that does not serialise.
    #[error("image archive")]
    Json(#[from] serde_json::Error),
}

/// The archive's bytes.
pub fn archive(image: &Image<'_>) -> Result<Vec<u8>, OciError> {
    let layer = layer(image)?;
    let config = Config {
        architecture: "amd64",
        os: "linux",
        config: Process { user: image.user, entrypoint: image.entrypoint, working_dir: "/" },
        rootfs: RootFs { kind: "layers", diff_ids: [digest(&layer)] },
    };
    let config = serde_json::to_vec(&config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST,
        config: descriptor(CONFIG, &config),
        layers: [descriptor(LAYER, &layer)],
    };
    let manifest = serde_json::to_vec(&manifest)?;
    let annotations = Some(Annotations { name: image.reference, reference: image.reference });
    let named = Descriptor { annotations, ..descriptor(MANIFEST, &manifest) };
    let index = to_vec(&Index { schema_version: 2, media_type: INDEX, manifests: [named] })?;

    let mut blobs = [layer, config, manifest].map(|bytes| (blob_path(&bytes), bytes));
    blobs.sort();
    let mut tar = Tar::new(image.epoch);
    tar.folder("blobs")?;
    tar.folder("blobs/sha256")?;
    let mut done = BTreeSet::new();
    for (path, bytes) in &blobs {
        if done.insert(path) {
            tar.file(path, 0o644, bytes)?;
        }
    }
    tar.file("index.json", 0o644, &index)?;
    tar.file("oci-layout", 0o644, LAYOUT.as_bytes())?;
    tar.finish()
}

/// The layer: every folder before what is in it.
fn layer(image: &Image<'_>) -> Result<Vec<u8>, OciError> {
    let mut files: Vec<_> = image.files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut tar = Tar::new(image.epoch);
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

struct Tar {
    builder: tar::Builder<Vec<u8>>,
    epoch: u64,
}

impl Tar {
    fn new(epoch: u64) -> Self {
        Tar { builder: tar::Builder::new(Vec::new()), epoch }
    }

    fn folder(&mut self, path: &str) -> Result<(), OciError> {
        self.append(&format!("{path}/"), (tar::EntryType::Directory, 0o755), &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), OciError> {
        self.append(path, (tar::EntryType::Regular, mode), bytes)
    }

    fn append(&mut self, path: &str, (kind, mode): (tar::EntryType, u32), bytes: &[u8]) -> Result<(), OciError> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode & 0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.epoch);
        header.set_size(bytes.len() as u64);
        header.set_path(path)?;
        header.set_cksum();
        Ok(self.builder.append(&header, bytes)?)
    }

    fn finish(self) -> Result<Vec<u8>, OciError> {
        Ok(self.builder.into_inner()?)
    }
}

fn descriptor(media_type: &'static str, bytes: &[u8]) -> Descriptor<'static> {
    Descriptor { media_type, digest: digest(bytes), size: bytes.len(), annotations: None }
}

fn to_vec(document: &impl Serialize) -> Result<Vec<u8>, OciError> {
    Ok(serde_json::to_vec(document)?)
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn blob_path(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", hex::encode(Sha256::digest(bytes)))
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
