//! Boot manifest and release manifest, and what their signatures cover (docs/architecture.md, "Signatures").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod document;

pub use document::{
    DocumentError, LIMIT, VERSION, parse_boot, parse_release, parse_signature_partition, parse_sums, render_boot,
    render_release, render_signature_partition, render_sums,
};

/// What is signed for a boot manifest is this, then the SHA-256 of the exact stored bytes.
pub const BOOT_DOMAIN: &[u8] = b"orlop-boot-v1\0";
/// The same for a release manifest.
pub const RELEASE_DOMAIN: &[u8] = b"orlop-release-v1\0";
/// The signature partition's UUID is the first half of SHA-256 over this and the root hash (32 bytes).
pub const SIGNATURE_PARTITION_DOMAIN: &[u8] = b"orlop-sig\0";

/// What a refusal does after its line was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Refusal {
    /// Reset, after 10 s.
    #[default]
    Reboot,
    /// Power off.
    Poweroff,
}

/// What an image asks of the firmware's Secure Boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SecureBoot {
    /// Everything is used if the firmware has it; the boot report says how far that went.
    #[default]
    WhenPresent,
    /// Without it, with a foreign certificate in db, or with text appended to the command line, the boot is refused.
    Required,
}

/// Whom a boot trusts beside the release keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// What the image asks of Secure Boot.
    pub secure_boot: SecureBoot,
    /// The certificates that the firmware's db may hold; the first one signed this image.
    pub certificates: Vec<Certificate>,
}

/// A certificate, as firmware and kernel name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// SHA-256 of its DER, lowercase hex, 64 characters.
    pub sha256: String,
    /// Its subject key identifier, lowercase hex: the kernel's `.platform` keyring shows it.
    pub key_id: String,
    /// Its subject's common name.
    pub subject: String,
}

/// The boot manifest: in the initramfs (`/orlop/boot.json`), a member of its own, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootManifest {
    /// Format version, first: 1.
    pub version: u32,
    /// Image name.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// `x86_64`.
    pub architecture: String,
    /// Sensitivity class.
    pub class: String,
    /// The whole of the kernel's command line as the UKI carries it, with its final ` --`.
    pub command_line: String,
    /// The root and its verity tree.
    pub verity: Verity,
    /// What a refusal does.
    pub refusal: Refusal,
    /// Whom the boot trusts, and what it asks of the firmware.
    pub trust: Trust,
    /// Whether the keys that signed this are development keys.
    pub development: bool,
}

/// dm-verity parameters, format 1 (kernel's `verity.rst`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verity {
    /// Root hash, lowercase hex, 64 characters.
    pub root_hash: String,
    /// Salt, lowercase hex, 64 characters.
    pub salt: String,
    /// UUID of the verity superblock.
    pub uuid: String,
    /// `sha256`.
    pub algorithm: String,
    /// 4096.
    pub data_block_size: u32,
    /// 4096.
    pub hash_block_size: u32,
    /// Number of data blocks.
    pub data_blocks: u64,
    /// First block of the tree on the verity partition, in hash blocks: 1, after the superblock.
    pub hash_start_block: u64,
}

/// The release manifest: beside the image (`NAME.release.json`, signature in `NAME.release.json.sig`, base64).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseManifest {
    /// Format version, first: 1.
    pub version: u32,
    /// Image name.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// `x86_64`.
    pub architecture: String,
    /// Sensitivity class.
    pub class: String,
    /// Whether the keys that signed this are development keys.
    pub development: bool,
    /// SHA-256 of the boot manifest's bytes.
    pub boot_manifest_sha256: String,
    /// SHA-256 of the UKI as Authenticode counts it (without checksum and certificate table).
    pub uki_authenticode_sha256: String,
    /// SHA-256 of the root image.
    pub root_sha256: String,
    /// Bytes of the root image.
    pub root_bytes: u64,
    /// SHA-256 of the verity partition's content (superblock and tree).
    pub verity_sha256: String,
    /// Bytes of the verity partition's content.
    pub verity_bytes: u64,
    /// SHA-256 of the state template.
    pub state_template_sha256: String,
    /// Component → version.
    pub components: BTreeMap<String, String>,
    /// Document beside the image → its SHA-256. Earlier builders wrote none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub companions: BTreeMap<String, String>,
    /// What it was built from.
    pub build: BuildIdentity,
}

/// What an image was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildIdentity {
    /// Version of `orlop`.
    pub orlop: String,
    /// SHA-256 of the definition after `extends` was resolved.
    pub definition_sha256: String,
    /// SHA-256 of the lockfile's bytes.
    pub lockfile_sha256: String,
    /// Seconds since 1970 of every time in the image.
    pub epoch: u64,
}

/// The unsigned companion, `NAME.sums.json`: digests of bytes that contain signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Format version, first: 1.
    pub version: u32,
    /// SHA-256 of the whole disk image.
    pub image_sha256: String,
    /// SHA-256 of the ESP.
    pub esp_sha256: String,
    /// SHA-256 of the signature partition.
    pub signature_sha256: String,
}

/// The signature partition's content (Discoverable Partitions Specification), then NUL to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignaturePartition {
    /// Root hash, lowercase hex.
    #[serde(rename = "rootHash")]
    pub root_hash: String,
    /// base64 of a detached PKCS#7 over the root hash's hex text, once Secure Boot is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// SHA-256 of the certificate, hex.
    #[serde(rename = "certificateFingerprint", skip_serializing_if = "Option::is_none")]
    pub certificate_fingerprint: Option<String>,
    /// base64 of the boot manifest's ed25519 signature.
    #[serde(rename = "orlopBootSignature")]
    pub orlop_boot_signature: String,
}
