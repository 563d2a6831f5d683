//! Who signed an image, as far as the image itself tells: shown by `orlop inspect`, verified by `orlop verify`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::{PublicKey, encode_public, parse_trusted};
use orlop_config::manifest::{BootManifest, SignaturePartition};
use serde::Serialize;

use super::open::Uki;
use super::policy;
use crate::formats::authenticode;
use crate::formats::pkcs7::Signed;
use crate::formats::x509::Certificate;

/// Who signed an image, and whom it trusts.
#[derive(Debug, Serialize)]
pub struct Signers {
    /// The certificate that came with the UKI's signature.
    pub certificate: Option<CertificateRow>,
    /// Who signed the UKI, the root hash and the IPE policy: the certificate's subject, or what is wrong.
    pub uki: String,
    /// See `uki`.
    pub root_hash: String,
    /// See `uki`.
    pub policy: String,
    /// The release keys whose signature the boot accepts.
    pub release_keys: Vec<ReleaseKeyRow>,
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
        let pkcs7 = STANDARD.decode(text.ok_or_else(|| anyhow::anyhow!("not signed"))?)?;
        let signed = Signed::parse(&pkcs7)?;
        Ok(signed.signed_by(boot.verity.root_hash.as_bytes(), &certificates)?.subject().to_owned())
    };
    let told = |found: anyhow::Result<String>| found.unwrap_or_else(|error| format!("{error:#}"));
    let subject = |certificate: &Certificate| certificate.subject().to_owned();
    Signers {
        uki: told(authenticode::signed_by(&uki.bytes, &certificates).map(subject).map_err(Into::into)),
        root_hash: told(root_hash()),
        policy: told(policy::check(policy, &certificates).map(subject)),
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
    let pem = encode_public(key);
    let key_text = pem.lines().filter(|line| !line.starts_with(['-', '#'])).collect();
    ReleaseKeyRow { key: key_text, development: key.development }
}

impl Signers {
    /// As text for people.
    pub fn text(&self, boot: &BootManifest) -> String {
        use std::fmt::Write;
        let mark = |development: bool| if development { " (development)" } else { "" };
        let mut text = format!("\nsigned by\n  UKI         {}\n", self.uki);
        let _ = writeln!(text, "  root hash   {}\n  IPE policy  {}", self.root_hash, self.policy);
        if let Some(row) = &self.certificate {
            let valid = format!("valid {} to {}", row.valid_from, row.valid_to);
            let _ = writeln!(text, "  certificate {}, {valid}{}", row.sha256, mark(row.development));
        }
        text.push_str("\ntrusts\n");
        for key in &self.release_keys {
            let _ = writeln!(text, "  release key {}{}", key.key, mark(key.development));
        }
        for certificate in &boot.trust.certificates {
            let _ = writeln!(text, "  certificate {} `{}`", certificate.sha256, certificate.subject);
        }
        text
    }
}
