//! Who signed an image, as far as the image itself tells: shown by `orlop inspect`, verified by `orlop verify`.

use std::fmt;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::{PublicKey, encode_public, parse_trusted};
use orlop_chain::{RootHash, manifest, signature_partition};
use orlop_config::manifest::{BOOT_DOMAIN, BootManifest, SignaturePartition};
use serde::{Serialize, Serializer};

use super::open::Uki;
use super::policy;
use crate::formats::authenticode;
use crate::formats::pkcs7::Signed;
use crate::formats::x509::Certificate;
use crate::text::shown;

/// Who signed an image, and whom it trusts.
#[derive(Debug, Serialize)]
pub struct Signers {
    /// The certificate that came with the UKI's signature.
    pub certificate: Option<CertificateRow>,
    /// Who signed the UKI, the root hash and the IPE policy: a certificate, by its subject.
    pub uki: Signer,
    /// See `uki`.
    pub root_hash: Signer,
    /// See `uki`.
    pub policy: Signer,
    /// Who signed the boot manifest: a release key, in base64.
    pub boot_manifest: Signer,
    /// The release keys whose signature the boot accepts.
    pub release_keys: Vec<ReleaseKeyRow>,
}

/// Who signed a part. In documents it is one text: which of the two it is, [`Signers::certificate`] and the keys tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// This certificate, or this key: its signature holds.
    Is(String),
    /// Nobody whom the image itself names: what is wrong.
    Nobody(String),
}

impl fmt::Display for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Signer::Is(text) | Signer::Nobody(text)) = self;
        out.pad(text)
    }
}

impl Serialize for Signer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A certificate.
#[derive(Debug, Serialize)]
pub struct CertificateRow {
    /// Common name of its subject.
    pub subject: String,
    /// SHA-256 of its DER.
    pub sha256: String,
    /// When its validity begins, and ends.
    pub valid_from: String,
    /// See `valid_from`.
    pub valid_to: String,
    /// Whether its subject says that it is for development.
    pub development: bool,
}

/// A release key.
#[derive(Debug, Serialize)]
pub struct ReleaseKeyRow {
    /// The key in base64, as its PEM file has it.
    pub key: String,
    /// Whether it is marked as a development key.
    pub development: bool,
}

/// Looks at an image's signatures.
pub fn signers(uki: &Uki, boot: &BootManifest, signature: Option<&SignaturePartition>, policy: &[u8]) -> Signers {
    let certificates = authenticode::certificates(&uki.bytes).unwrap_or_default();
    let keys = uki.public_key().ok().and_then(|bytes| parse_trusted(&bytes).ok()).unwrap_or_default();
    let root_hash = || -> anyhow::Result<String> {
        let text = signature.and_then(|document| document.signature.as_deref());
        let pkcs7 = STANDARD.decode(text.context("not signed")?)?;
        let signed = Signed::parse(&pkcs7)?;
        Ok(signed.signed_by(boot.verity.root_hash.as_bytes(), &certificates)?.subject().to_owned())
    };
    let boot_manifest = || -> anyhow::Result<String> {
        let root: RootHash = boot.verity.root_hash.parse()?;
        let bytes = signature_partition::boot_signature(signature.context("not signed")?, &root)?;
        Ok(key_text(manifest::verify_by_any(&uki.boot_manifest()?, BOOT_DOMAIN, &bytes, &keys)?))
    };
    let told = |found: anyhow::Result<String>| match found {
        Ok(name) => Signer::Is(name),
        Err(error) => Signer::Nobody(format!("{error:#}")),
    };
    let subject = |certificate: &Certificate| certificate.subject().to_owned();
    Signers {
        uki: told(authenticode::signed_by(&uki.bytes, &certificates).map(subject).map_err(Into::into)),
        root_hash: told(root_hash()),
        policy: told(policy::check(policy, &certificates).map(subject)),
        boot_manifest: told(boot_manifest()),
        certificate: certificates.first().map(row),
        release_keys: keys.iter().map(key_row).collect(),
    }
}

fn row(certificate: &Certificate) -> CertificateRow {
    let (valid_from, valid_to) = certificate.validity_text();
    let subject = certificate.subject().to_owned();
    CertificateRow {
        sha256: certificate.sha256(),
        subject,
        valid_from,
        valid_to,
        development: certificate.development(),
    }
}

fn key_row(key: &PublicKey) -> ReleaseKeyRow {
    ReleaseKeyRow { key: key_text(key), development: key.development }
}

/// The key as its PEM file has it, without the lines around it.
fn key_text(key: &PublicKey) -> String {
    encode_public(key).lines().filter(|line| !line.starts_with(['-', '#'])).collect()
}

impl Signers {
    /// As text for people.
    pub fn text(&self, boot: &BootManifest) -> String {
        use std::fmt::Write;
        let mark = |development: bool| if development { " (development)" } else { "" };
        let by = |signer: &Signer| shown(&signer.to_string());
        let mut text = format!("\nsigned by\n  UKI         {}\n", by(&self.uki));
        let _ = writeln!(text, "  root hash   {}\n  IPE policy  {}", by(&self.root_hash), by(&self.policy));
        let _ = writeln!(text, "  manifest    {}", by(&self.boot_manifest));
        if let Some(row) = &self.certificate {
            let valid = format!("valid {} to {}", shown(&row.valid_from), shown(&row.valid_to));
            let _ = writeln!(text, "  certificate {}, {valid}{}", shown(&row.sha256), mark(row.development));
        }
        text.push_str("\ntrusts\n");
        for key in &self.release_keys {
            let _ = writeln!(text, "  release key {}{}", shown(&key.key), mark(key.development));
        }
        for certificate in &boot.trust.certificates {
            let (sha256, subject) = (shown(&certificate.sha256), shown(&certificate.subject));
            let _ = writeln!(text, "  certificate {sha256} `{subject}`");
        }
        text
    }
}
