//! Key files: PKCS#8 v1 PEM for the secret, SPKI PEM for the public part.
//!
//! v1, because OpenSSL 3.0 cannot read the v2 form that carries the public key too.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use orlop_chain::key::DEVELOPMENT_MARK;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer as _};
use rsa::traits::PublicKeyParts;

use super::{Signer, read};
use crate::formats::x509::RSA_BITS;

/// Why a key file is not used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be opened or read.
    #[error("{path}: {reason}; `orlop keygen {folder}` makes a set of keys", folder = .path.parent().unwrap_or(Path::new("keys")).display(), path = .path.display())]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is a folder.
    #[error("{path}: a folder; name the key file in it, such as {}", .path.join("release.key").display(), path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Others than its owner can read it.
    #[error("{path}: mode {mode:04o} lets others than its owner read a secret key; `chmod 600 {path}`, and ask who may have read it", path = .path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("{path}: not an {want} in PKCS#8 PEM ({reason}); `orlop keygen` makes one", path = .path.display())]
    WrongKind {
        /// The key file.
        path: PathBuf,
        /// What it should hold.
        want: &'static str,
        /// What the parser said.
        reason: String,
    },
}

/// Signs with an ed25519 key file; the key wipes itself.
pub struct ReleaseFile {
    pub(super) key: SigningKey,
    /// Whether the file is marked as a development key's.
    pub development: bool,
}

/// Signs with an RSA key file; the key wipes itself.
pub struct RsaFile {
    pub(super) key: rsa::PrivateKey,
}

impl ReleaseFile {
    /// Reads the ed25519 secret key in `path`.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let text = read::secret(path)?;
        let (development, pem) = pem(&text).ok_or_else(|| wrong(path, ED25519, "no PEM header"))?;
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| wrong(path, ED25519, error))?;
        Ok(ReleaseFile { key, development })
    }
}

impl RsaFile {
    /// Reads the RSA-2048 secret key in `path`.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let text = read::secret(path)?;
        let (_, pem) = pem(&text).ok_or_else(|| wrong(path, RSA, "no PEM header"))?;
        let key = rsa::PrivateKey::from_pkcs8_pem(pem).map_err(|error| wrong(path, RSA, error))?;
        match key.size() * 8 {
            RSA_BITS => Ok(RsaFile { key }),
            bits => Err(wrong(path, RSA, format!("it has {bits} bits"))),
        }
    }
}

impl Signer for ReleaseFile {
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(ed25519_dalek::Signer::sign(&self.key, message).to_vec())
    }
}

impl Signer for RsaFile {
    fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(rsa::pkcs1v15::SigningKey::<Sha256>::new(self.key.clone()).try_sign(message)?.to_vec())
    }
}

const ED25519: &str = "ed25519 secret key";
const RSA: &str = "RSA-2048 secret key";

fn wrong(path: &Path, want: &'static str, reason: impl ToString) -> KeyFileError {
    KeyFileError::WrongKind { path: path.into(), want, reason: reason.to_string() }
}

/// The PEM block of a file, and whether the development mark stands before it.
fn pem(text: &str) -> Option<(bool, &str)> {
    let start = text.find("-----BEGIN ")?;
    let development = text[..start].lines().any(|line| line.trim() == DEVELOPMENT_MARK);
    Some((development, text[start..].trim_end()))
}

/// `text` behind the development mark, where it is one.
pub(super) fn marked(development: bool, text: &str) -> String {
    if development { format!("{DEVELOPMENT_MARK}\n{text}") } else { text.to_owned() }
}

/// Writes a file that must not exist yet, readable as `mode` says from its first byte on.
pub(super) fn create_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    use anyhow::Context;
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(|| {
            match path.symlink_metadata() {
                Ok(_) => format!("{}: keys are never overwritten; choose another folder", path.display()),
                Err(_) => format!("{}: cannot be made", path.display()),
            }
        })?;
    let written = file
        .set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a key would only confuse; the folder is as it was.
        let _ = fs::remove_file(path);
        return Err(error).with_context(|| format!("{}: cannot be written", path.display()));
    }
    Ok(())
}
