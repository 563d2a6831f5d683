//! Key files: PKCS#8 v1 PEM for the secret, SPKI PEM for the public part.
//!
//! v1, because OpenSSL 3.0 cannot read the v2 form that carries the public key too.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signature, SigningKey};
use orlop_chain::key::{DEVELOPMENT_MARK, PublicKey};
use orlop_chain::manifest::signed_message;
use zeroize::Zeroizing;

use super::Signer;

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
    /// It holds something else than an ed25519 secret key.
    #[error("{path}: not an ed25519 secret key in PKCS#8 PEM ({reason}); `orlop keygen` makes one", path = .path.display())]
    WrongKind {
        /// The key file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
}

/// A secret key in memory; it wipes itself.
pub struct Secret {
    pub(super) key: SigningKey,
    pub(super) development: bool,
}

/// Signs with a key file.
pub struct FileSigner(Secret);

/// A key file is a few hundred bytes; more is something else.
const MAX_KEY_FILE: u64 = 16 * 1024;

impl FileSigner {
    /// Reads the ed25519 secret key in `path`.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let unreadable = |reason| KeyFileError::Unreadable { path: path.into(), reason };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(KeyFileError::Folder { path: path.into() });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Readable { path: path.into(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        let wrong = |reason: String| KeyFileError::WrongKind { path: path.into(), reason };
        (&mut file).take(MAX_KEY_FILE).read_to_string(&mut text).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => wrong("not text".into()),
            _ => unreadable(e),
        })?;
        Secret::parse(&text).map(FileSigner).map_err(wrong)
    }
}

impl Secret {
    fn parse(text: &str) -> Result<Self, String> {
        let start = text.find("-----BEGIN ").ok_or("no PEM header")?;
        let development = text[..start].lines().any(|line| line.trim() == DEVELOPMENT_MARK);
        let key = SigningKey::from_pkcs8_pem(text[start..].trim_end()).map_err(|e| e.to_string())?;
        Ok(Secret { key, development })
    }
}

impl Signer for FileSigner {
    fn sign(&self, domain: &[u8], document: &[u8]) -> anyhow::Result<Signature> {
        Ok(ed25519_dalek::Signer::sign(&self.0.key, &signed_message(domain, document)))
    }

    fn public(&self) -> PublicKey {
        PublicKey { key: self.0.key.verifying_key(), development: self.0.development }
    }
}

/// `text` behind the development mark, where it is one.
pub(super) fn marked(development: bool, text: &str) -> String {
    if development { format!("{DEVELOPMENT_MARK}\n{text}") } else { text.to_owned() }
}

/// Writes `text` to a file that must not exist yet, readable as `mode` says from its first byte on.
pub(super) fn create_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use anyhow::Context;
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("{}: keys are never overwritten; choose another folder", path.display()))?;
    let written = file
        .set_permissions(fs::Permissions::from_mode(mode))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a key would only confuse; the folder is as it was.
        let _ = fs::remove_file(path);
        return Err(error).with_context(|| format!("{}: cannot be written", path.display()));
    }
    Ok(())
}
