//! A set of keys as it is used: `keys.toml` and what it names, each key held against its public part.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use orlop_chain::key::{PublicKey, parse_public};
use orlop_chain::manifest::{signed_message, verify_message};
use orlop_config::keys::{self, FILE, Keys};

use super::{CommandSigner, ReleaseFile, RsaFile, Signer, read};
use crate::formats::x509::Certificate;

/// The keys that sign an image.
pub struct KeySet {
    /// Signs manifests.
    pub release: ReleaseKey,
    /// Signs what firmware and kernel check.
    pub db: DbKey,
    /// The signed IPE policy, where it was signed before.
    pub policy: Option<Vec<u8>>,
}

/// The release key.
pub struct ReleaseKey {
    /// Its public part.
    pub public: PublicKey,
    signer: Option<Box<dyn Signer>>,
}

/// The db key.
pub struct DbKey {
    /// Its certificate.
    pub certificate: Certificate,
    signer: Option<Box<dyn Signer>>,
}

impl KeySet {
    /// Opens the set in a folder, or the one that a `keys.toml` of any name describes.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{}: no set of keys; `orlop keygen {}` makes one", file.display(), path.display())
        })?;
        let document = keys::parse(&file.display().to_string(), &text)?;
        // The folder of a bare file name is "", in which no command runs.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let set = Opener { folder: folder.to_owned() }.open(&document)?;
        if set.db.certificate.development() != set.development() {
            let certificate = set.db.certificate.subject();
            bail!(
                "{}: one key is for development and the other is not (release key: {}, certificate: `{certificate}`); use the keys of one set",
                file.display(),
                if set.development() { "development" } else { "not marked" }
            );
        }
        Ok(set)
    }

    /// Whether these are development keys.
    pub fn development(&self) -> bool {
        self.release.public.development
    }
}

impl ReleaseKey {
    /// Signs `domain` and the SHA-256 of `document`; the signature was verified.
    pub fn sign(&self, domain: &[u8], document: &[u8]) -> anyhow::Result<[u8; 64]> {
        self.sign_message(&signed_message(domain, document))
    }

    /// Signs a message as it is: who calls this knows that no other kind of message begins like it. The signature was verified.
    pub fn sign_message(&self, message: &[u8]) -> anyhow::Result<[u8; 64]> {
        let signature = self.signer.as_deref().context(NOBODY)?.sign(message)?;
        verify_message(message, &signature, &self.public).context("the signer's answer is not used")?;
        signature.try_into().map_err(|_| anyhow::anyhow!("a signature of another length"))
    }
}

impl DbKey {
    /// Whether anybody here signs by it.
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// Signs a message; the signature was verified.
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let signature = self.signer.as_deref().context(NOBODY)?.sign(message)?;
        if !self.certificate.verifies(message, &signature) {
            let subject = self.certificate.subject();
            bail!(
                "the signer's answer ({} bytes) is not a signature by `{subject}` over what it was given",
                signature.len()
            );
        }
        Ok(signature)
    }
}

const NOBODY: &str = "keys.toml names no signer for this key: add one, or build with --unsigned and sign elsewhere";

/// Opens what a document names.
struct Opener {
    folder: PathBuf,
}

impl Opener {
    fn open(&self, document: &Keys) -> anyhow::Result<KeySet> {
        let release = self.release(&document.release)?;
        let db = self.db(&document.db)?;
        let path = document.policy.as_ref().map(|policy| self.folder.join(&policy.signature));
        let policy = path.as_deref().map(read::public).transpose()?;
        Ok(KeySet { release, db, policy })
    }

    fn release(&self, entry: &keys::ReleaseKey) -> anyhow::Result<ReleaseKey> {
        let path = self.folder.join(&entry.public);
        let public = parse_public(&read::public(&path)?).with_context(|| path.display().to_string())?;
        let signer: Option<Box<dyn Signer>> = match &entry.signer {
            None => None,
            Some(keys::Signer::Command(words)) => Some(Box::new(CommandSigner::new(words.clone(), &self.folder))),
            Some(keys::Signer::Key(name)) => {
                let file = self.folder.join(name);
                let secret = ReleaseFile::open(&file)?;
                if secret.key.verifying_key() != public.key {
                    bail!("{} is not the public part of {}", path.display(), file.display());
                }
                if secret.development != public.development {
                    bail!("{} and {}: only one has the mark of a development key", path.display(), file.display());
                }
                Some(Box::new(secret))
            }
        };
        Ok(ReleaseKey { public, signer })
    }

    fn db(&self, entry: &keys::DbKey) -> anyhow::Result<DbKey> {
        let path = self.folder.join(&entry.certificate);
        let certificate = read_certificate(&path)?;
        let signer: Option<Box<dyn Signer>> = match &entry.signer {
            None => None,
            Some(keys::Signer::Command(words)) => Some(Box::new(CommandSigner::new(words.clone(), &self.folder))),
            Some(keys::Signer::Key(name)) => {
                let file = self.folder.join(name);
                let secret = RsaFile::open(&file)?;
                if !certificate.belongs_to(&secret.key) {
                    bail!("{} is not the certificate of {}", path.display(), file.display());
                }
                Some(Box::new(secret))
            }
        };
        Ok(DbKey { certificate, signer })
    }
}

/// A certificate that is valid today. Firmware and kernel do not look at the end of its validity; who signs with an
/// expired one has overlooked something.
fn read_certificate(path: &Path) -> anyhow::Result<Certificate> {
    let certificate = Certificate::parse(&read::public(path)?).with_context(|| path.display().to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let ((from, to), (_, end)) = (certificate.validity(), certificate.validity_text());
    if now > to {
        bail!("{}: expired at {end}; make a new key (`orlop keygen`) and enrol its certificate", path.display());
    }
    if now < from {
        bail!("{}: not valid yet; is this machine's clock right?", path.display());
    }
    Ok(certificate)
}

/// Further release keys that a definition trusts.
pub fn trusted_release_keys(files: &[PathBuf]) -> anyhow::Result<Vec<PublicKey>> {
    let read = |path: &PathBuf| parse_public(&read::public(path)?).with_context(|| path.display().to_string());
    files.iter().map(read).collect()
}

/// Further certificates that a definition trusts.
pub fn trusted_certificates(files: &[PathBuf]) -> anyhow::Result<Vec<Certificate>> {
    let read = |path: &PathBuf| Certificate::parse(&read::public(path)?).with_context(|| path.display().to_string());
    files.iter().map(read).collect()
}
