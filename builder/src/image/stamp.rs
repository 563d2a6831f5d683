//! The stamp beside an image: what it was made from, so that a build with nothing to do does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use orlop_chain::key::encode_public;
use orlop_config::definition::Definition;
use serde::{Deserialize, Serialize};

use super::build::{BuildOptions, Built};
use super::inputs::Inputs;
use crate::formats::x509::Certificate;
use crate::sources::{hash, hash_file, local_digest};

/// What the result depends on: the inputs, the epoch, the key that signs, and this very program.
pub fn build_key(inputs: &Inputs, options: &BuildOptions<'_>) -> anyhow::Result<String> {
    let mut parts = vec![
        hash_file(&std::env::current_exe()?)?,
        inputs.lockfile_sha256.clone(),
        hash(&serde_json::to_vec(inputs.project.definition())?),
        hash(encode_public(&options.keys.release.public).as_bytes()),
        options.keys.db.certificate.sha256(),
        hash(options.keys.policy.as_deref().unwrap_or_default()),
        options.unsigned.to_string(),
        inputs.epoch()?.to_string(),
        local_digest(&inputs.project)?,
    ];
    // Comments too: the provenance names the definition's texts.
    parts.extend(inputs.project.files().map(|(name, sha256)| format!("{sha256} {name}")));
    parts.extend(inputs.release_keys()?.iter().map(|key| hash(encode_public(key).as_bytes())));
    parts.extend(inputs.certificates()?.iter().map(Certificate::sha256));
    parts.extend(inputs.static_pods.values().map(|manifest| hash(manifest)));
    Ok(hash(parts.join("\n").as_bytes()))
}

/// The stamp beside an image: what it was made from, and what was made.
#[derive(Serialize, Deserialize)]
pub struct Stamp {
    /// What it was made from.
    pub key: String,
    /// File beside the image → its SHA-256. The image itself is too large to be hashed each time.
    pub companions: BTreeMap<String, String>,
    /// What was made.
    pub built: Built,
}

impl Stamp {
    /// The stamp in a file.
    pub fn read(path: &Path) -> Option<Stamp> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}

/// Its file name.
pub fn stamp_name(definition: &Definition) -> String {
    format!("{}.build.json", definition.name)
}

/// The earlier result, when it was made from the same and nobody touched it.
pub fn unchanged(inputs: &Inputs, options: &BuildOptions<'_>, key: &str) -> Option<Built> {
    let definition = inputs.project.definition();
    let stamp_path = options.out.join(stamp_name(definition));
    let stamp = Stamp::read(&stamp_path)?;
    let image = options.out.join(format!("{}.raw", definition.name));
    let stamped = fs::metadata(&stamp_path).ok()?.modified().ok()?;
    let metadata = fs::metadata(&image).ok()?;
    let untouched = metadata.len() == stamp.built.image_bytes && metadata.modified().ok()? <= stamped;
    let as_written = |end: &&str| {
        let name = format!("{}.{end}", definition.name);
        hash_file(&options.out.join(&name)).is_ok_and(|sha256| stamp.companions.get(&name) == Some(&sha256))
    };
    let companions: &[&str] = match options.unsigned {
        true => &["release.json", "release.pub", "db.crt", "request.json", "efi", "surface.json", "licences.json"],
        false => &[
            "release.json",
            "release.json.sig",
            "provenance.json",
            "sums.json",
            "release.pub",
            "db.crt",
            "efi",
            "surface.json",
            "licences.json",
        ],
    };
    let same = stamp.key == key && untouched && companions.iter().all(as_written);
    same.then_some(Built { image, unchanged: true, ..stamp.built })
}
