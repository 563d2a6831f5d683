//! The documents of an image (OCI image format specification 1.1), as far as these images need them.

use serde::Serialize;

/// Where blobs lie.
pub(super) const BLOBS: &str = "blobs/sha256";
pub(super) const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Not packed: the archive lies in a packed root.
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index<'a> {
    pub schema_version: u32,
    pub media_type: &'static str,
    pub manifests: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest<'a> {
    pub schema_version: u32,
    pub media_type: &'static str,
    pub config: Descriptor<'a>,
    pub layers: [Descriptor<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    pub media_type: &'static str,
    pub digest: String,
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations<'a>>,
}

#[derive(Serialize)]
pub(super) struct Annotations<'a> {
    #[serde(rename = "io.containerd.image.name")]
    pub name: &'a str,
    #[serde(rename = "org.opencontainers.image.ref.name")]
    pub reference: &'a str,
}

#[derive(Serialize)]
pub(super) struct Config<'a> {
    pub architecture: &'static str,
    pub os: &'static str,
    pub config: Process<'a>,
    pub rootfs: RootFs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Process<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub user: &'a str,
    pub entrypoint: &'a [String],
    pub working_dir: &'static str,
}

#[derive(Serialize)]
pub(super) struct RootFs {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub diff_ids: [String; 1],
}
