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
    let rootfs = json!({"type": "layers", "diff_ids": [digest(layer)]});
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).to_string().into_bytes();
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

/// A layer whose only file is `/pause`. It belongs to whoever runs the test, who unpacks it.
pub fn layer(pause: &[u8]) -> Vec<u8> {
    tar(&vec![("pause".to_owned(), pause.to_vec())])
}

/// The tar of these files.
pub fn tar(files: &Files) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").expect("this process");
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(own.uid().into());
        header.set_gid(own.gid().into());
        tar.append_data(&mut header, name, bytes.as_slice()).expect("appended");
    }
    tar.into_inner().expect("finished")
}
