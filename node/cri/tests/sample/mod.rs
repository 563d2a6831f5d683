//! A small OCI archive, made in memory.
#![allow(dead_code)] // Each test file uses its part.

use serde_json::json;
use sha2::{Digest, Sha256};

/// Its files, so that a test can change one.
pub type Files = Vec<(String, Vec<u8>)>;

/// `sha256:…` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// The files of an archive that holds one image with this layer.
pub fn files(layer: &[u8]) -> Files {
    let config = br#"{"architecture":"amd64","os":"linux"}"#.to_vec();
    let manifest = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "localhost/pause:1"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    let blob = |bytes: Vec<u8>| (digest(&bytes).replacen("sha256:", "blobs/sha256/", 1), bytes);
    vec![
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), index.to_string().into_bytes()),
        blob(config),
        blob(layer.to_vec()),
        blob(manifest),
    ]
}

/// The tar of these files.
pub fn tar(files: &Files) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("appended");
    }
    tar.into_inner().expect("finished")
}
