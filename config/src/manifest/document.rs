//! Manifests to bytes and back. Bytes are not trusted: bounded, the version first, every field checked.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BootManifest, Certificate, ReleaseManifest, SecureBoot, SignaturePartition, Sums, Trust, Verity};

/// No document is longer.
pub const LIMIT: usize = 64 << 10;
/// Version of the formats of boot manifest, release manifest and sums.
pub const VERSION: u32 = 1;
/// The kernel cuts a longer command line (`COMMAND_LINE_SIZE`, with its NUL).
const COMMAND_LINE_LIMIT: usize = 2048;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not even tried.
    #[error("{what}: {bytes} bytes, more than {LIMIT}")]
    TooLong {
        /// Kind of document.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
    },
    /// A format that this program does not know.
    #[error(
        "{what}: its format is version {found}, and version {VERSION} is the one known here; use the `orlop` that made it"
    )]
    Version {
        /// Kind of document.
        what: &'static str,
        /// Its version.
        found: u64,
    },
    /// Not JSON, or not these fields.
    #[error("{what}, line {line}, column {column}: {message}")]
    Text {
        /// Kind of document.
        what: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A field whose value cannot be.
    #[error("{what}: `{field}` is `{value}`, not {expected}")]
    Field {
        /// Kind of document.
        what: &'static str,
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// A boot manifest's bytes.
pub fn render_boot(manifest: &BootManifest) -> Vec<u8> {
    render(manifest)
}

/// A release manifest's bytes.
pub fn render_release(manifest: &ReleaseManifest) -> Vec<u8> {
    render(manifest)
}

/// The sums' bytes.
pub fn render_sums(sums: &Sums) -> Vec<u8> {
    render(sums)
}

/// The signature partition's JSON; NUL to the partition's end is the builder's to add.
pub fn render_signature_partition(content: &SignaturePartition) -> Vec<u8> {
    render(content)
}

fn render(document: &impl Serialize) -> Vec<u8> {
    // Structures of strings, numbers and truths: there is no key that is not a string and no value without JSON.
    let mut bytes = serde_json::to_vec_pretty(document).expect("manifests have JSON");
    bytes.push(b'\n');
    bytes
}

/// Reads a boot manifest.
pub fn parse_boot(bytes: &[u8]) -> Result<BootManifest, DocumentError> {
    let check = Check { what: "boot manifest" };
    let manifest: BootManifest = check.versioned(bytes)?;
    check.identity(&manifest.image, &manifest.image_version, &manifest.architecture, &manifest.class)?;
    let line = &manifest.command_line;
    let printable = line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let good = printable && line.ends_with(" --") && line.len() < COMMAND_LINE_LIMIT;
    check.field(good, "command_line", line, "printable, at most 2047 bytes and ending in ` --`")?;
    check.verity(&manifest.verity)?;
    check.trust(&manifest.trust)?;
    Ok(manifest)
}

/// Reads a release manifest.
pub fn parse_release(bytes: &[u8]) -> Result<ReleaseManifest, DocumentError> {
    let check = Check { what: "release manifest" };
    let manifest: ReleaseManifest = check.versioned(bytes)?;
    check.identity(&manifest.image, &manifest.image_version, &manifest.architecture, &manifest.class)?;
    check.digest("boot_manifest_sha256", &manifest.boot_manifest_sha256)?;
    check.digest("uki_authenticode_sha256", &manifest.uki_authenticode_sha256)?;
    check.digest("root_sha256", &manifest.root_sha256)?;
    check.digest("verity_sha256", &manifest.verity_sha256)?;
    check.digest("state_template_sha256", &manifest.state_template_sha256)?;
    check.digest("definition_sha256", &manifest.build.definition_sha256)?;
    check.digest("lockfile_sha256", &manifest.build.lockfile_sha256)?;
    for (name, digest) in &manifest.companions {
        let expected = "the name of a document: lowercase letters, digits, `-` and `.`, with `.json` at its end";
        check.field(is_document_name(name), "companions", name, expected)?;
        check.digest("companions", digest)?;
    }
    Ok(manifest)
}

/// Reads the sums.
pub fn parse_sums(bytes: &[u8]) -> Result<Sums, DocumentError> {
    let check = Check { what: "sums" };
    let sums: Sums = check.versioned(bytes)?;
    check.digest("image_sha256", &sums.image_sha256)?;
    check.digest("esp_sha256", &sums.esp_sha256)?;
    check.digest("signature_sha256", &sums.signature_sha256)?;
    Ok(sums)
}

/// Reads the signature partition's JSON, without the NUL after it.
pub fn parse_signature_partition(bytes: &[u8]) -> Result<SignaturePartition, DocumentError> {
    let check = Check { what: "signature partition" };
    let content: SignaturePartition = check.text(bytes)?;
    check.digest("rootHash", &content.root_hash)?;
    if let Some(fingerprint) = &content.certificate_fingerprint {
        check.digest("certificateFingerprint", fingerprint)?;
    }
    let signature = &content.orlop_boot_signature;
    let good = signature.len() == 88 && is_base64(signature);
    check.field(good, "orlopBootSignature", signature, "base64 of 64 bytes")?;
    let pkcs7 = content.signature.as_deref().unwrap_or("AAAA");
    check.field(is_base64(pkcs7), "signature", pkcs7, "base64")?;
    Ok(content)
}

/// The checks, and what to call the document in their errors.
struct Check {
    what: &'static str,
}

impl Check {
    /// The version decides what the other fields mean, so it is read before them.
    fn versioned<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, DocumentError> {
        #[derive(serde::Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version: found } = self.text(bytes)?;
        if found != u64::from(VERSION) {
            return Err(DocumentError::Version { what: self.what, found });
        }
        self.text(bytes)
    }

    fn text<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, DocumentError> {
        if bytes.len() > LIMIT {
            return Err(DocumentError::TooLong { what: self.what, bytes: bytes.len() });
        }
        serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            DocumentError::Text { what: self.what, line, column, message: message(&error) }
        })
    }

    fn field(&self, good: bool, field: &'static str, value: &str, expected: &'static str) -> Result<(), DocumentError> {
        if good {
            return Ok(());
        }
        let value = value.chars().take(80).collect::<String>().escape_default().to_string();
        Err(DocumentError::Field { what: self.what, field, value, expected })
    }

    fn digest(&self, field: &'static str, value: &str) -> Result<(), DocumentError> {
        self.field(is_hex(value, 64), field, value, "64 lowercase hexadecimal digits")
    }

    fn identity(&self, image: &str, version: &str, architecture: &str, class: &str) -> Result<(), DocumentError> {
        let name = "a name of 1 to 32 lowercase letters, digits and `-`";
        self.field(is_name(image), "image", image, name)?;
        self.field(is_name(class), "class", class, name)?;
        self.field(is_version(version), "image_version", version, "a version")?;
        self.field(architecture == "x86_64", "architecture", architecture, "`x86_64`")
    }

    fn trust(&self, trust: &Trust) -> Result<(), DocumentError> {
        for Certificate { sha256, key_id, subject } in &trust.certificates {
            self.digest("sha256", sha256)?;
            let hexadecimal = key_id.len() % 2 == 0 && is_hex(key_id, key_id.len());
            let good = hexadecimal && (8..=128).contains(&key_id.len());
            self.field(good, "key_id", key_id, "4 to 64 bytes as lowercase hexadecimal digits")?;
            let good = (1..=64).contains(&subject.len()) && !subject.contains(char::is_control);
            self.field(good, "subject", subject, "a name of at most 64 bytes")?;
        }
        let named = trust.secure_boot == SecureBoot::WhenPresent || !trust.certificates.is_empty();
        self.field(named, "secure_boot", "required", "`when-present` where no certificate is listed")
    }

    /// Format 1 of dm-verity as we make it, and nothing else: these values go to the kernel.
    fn verity(&self, verity: &Verity) -> Result<(), DocumentError> {
        self.digest("root_hash", &verity.root_hash)?;
        self.digest("salt", &verity.salt)?;
        self.field(is_uuid(&verity.uuid), "uuid", &verity.uuid, "a UUID in lowercase")?;
        self.field(verity.algorithm == "sha256", "algorithm", &verity.algorithm, "`sha256`")?;
        for (field, size) in [("data_block_size", verity.data_block_size), ("hash_block_size", verity.hash_block_size)]
        {
            self.field(size == 4096, field, &size.to_string(), "4096")?;
        }
        let blocks = verity.data_blocks;
        // 2^32 blocks are 16 TiB, and keep every product with the block size inside 64 bits.
        self.field((1..=1 << 32).contains(&blocks), "data_blocks", &blocks.to_string(), "1 to 4294967296")?;
        let start = verity.hash_start_block;
        self.field(start == 1, "hash_start_block", &start.to_string(), "1")
    }
}

#[cfg(feature = "toml")]
fn message(error: &serde_json::Error) -> String {
    let message = plain(error);
    let near = crate::text::unknown_name(&message).and_then(|(wrong, known)| crate::text::nearest(wrong, &known));
    match near {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message,
    }
}

/// PID 1 has nobody to suggest a spelling to.
#[cfg(not(feature = "toml"))]
fn message(error: &serde_json::Error) -> String {
    plain(error)
}

/// The message without its place, which the error has in fields of its own.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map(ToString::to_string).unwrap_or(text)
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5 && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, digits)| is_hex(group, digits))
}

fn is_name(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    inner && !name.starts_with('-') && (1..=32).contains(&name.len())
}

/// A file's name by which no way leads out of the folder.
fn is_document_name(name: &str) -> bool {
    let inner = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
    inner && name.starts_with(|first: char| first != '.') && name.ends_with(".json") && name.len() <= 128
}

fn is_version(version: &str) -> bool {
    let inner = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+~^_".contains(&byte));
    inner && version.starts_with(|first: char| first.is_ascii_digit()) && version.len() <= 64
}

fn is_base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let alphabet = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    alphabet && !bare.is_empty() && text.len().is_multiple_of(4) && text.len() - bare.len() <= 2
}
