//! Container images made of a few files, as an OCI layout that `crane push` takes.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A container image of one layer.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Files and links of its layer.
    pub files: Vec<LayerFile>,
    /// What it runs.
    pub entrypoint: Vec<String>,
    /// `uid:gid`; root when empty.
    pub user: String,
}

/// A file, or a symbolic link, of a layer. It belongs to root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerFile {
    /// A regular file, with its mode.
    File(String, u32, Vec<u8>),
    /// A symbolic link to a target.
    Link(String, String),
}

impl Image {
    /// The same image and a text file in it.
    #[must_use]
    pub fn with(&self, path: &str, mode: u32, text: &str) -> Image {
        let mut image = self.clone();
        image.files.push(LayerFile::File(path.into(), mode, text.into()));
        image
    }

    /// Writes the layout into an empty folder; the manifest's digest.
    pub fn write(&self, folder: &Path) -> Result<String> {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).map_err(Error::file("making", &blobs))?;
        let put = |bytes: &[u8]| -> Result<String> {
            let digest = digest(bytes);
            let path = blobs.join(&digest);
            std::fs::write(&path, bytes).map_err(Error::file("writing", &path))?;
            Ok(digest)
        };
        let layer = self.layer().map_err(Error::file("making a layer in", folder))?;
        let layer_digest = put(&layer)?;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"User": self.user, "Entrypoint": self.entrypoint, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        });
        let config = config.to_string().into_bytes();
        put(&config)?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let found = put(&manifest)?;
        let index = json!({"schemaVersion": 2, "manifests": [descriptor(MANIFEST, &manifest)]}).to_string();
        for (name, text) in [("index.json", index.as_str()), ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(Error::file("writing", &path))?;
        }
        Ok(format!("sha256:{found}"))
    }

    fn layer(&self) -> std::io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for file in &self.files {
            let mut header = tar::Header::new_gnu();
            match file {
                LayerFile::File(path, mode, bytes) => {
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, path.trim_start_matches('/'), bytes.as_slice())?;
                }
                LayerFile::Link(path, target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, path.trim_start_matches('/'), target)?;
                }
            }
        }
        tar.into_inner()
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", digest(bytes)), "size": bytes.len()})
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
