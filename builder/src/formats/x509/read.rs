//! Reading certificates, and checking signatures by them.

use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey;
use rsa::sha2::Sha256;
use rsa::signature::Verifier;
use rsa::traits::PublicKeyParts;
use sha2::Digest;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::der::{Decode, DecodePem, Encode, EncodePem};
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::der::pem::LineEnding;

/// Firmware is only required to know this size (UEFI 2.10, 32.2.4).
pub const RSA_BITS: usize = 2048;
/// A certificate file is one or two kilobytes.
const MOST_BYTES: usize = 64 << 10;

/// A certificate of an RSA-2048 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its exact bytes.
    pub der: Vec<u8>,
    pub(in crate::formats) parsed: x509_cert::Certificate,
    key_id: Vec<u8>,
    subject: String,
    key: rsa::PublicKey,
}

/// Why bytes are no certificate that can be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Neither PEM nor DER of one.
    #[error("not an X.509 certificate in PEM or DER ({0})")]
    Format(String),
    /// A secret key.
    #[error("this is a private key; give the certificate (.crt)")]
    Private,
    /// Another kind of key.
    #[error("its key is no RSA key; firmware and kernel take RSA-2048 here")]
    NotRsa,
    /// Another size.
    #[error("its key has {0} bits; firmware is only required to take RSA-2048")]
    Size(usize),
    /// The kernel finds keys by it.
    #[error("it has no subject key identifier, by which the kernel finds it; make it with `orlop keygen`")]
    NoKeyId,
    /// A subject without a name.
    #[error("its subject has no common name of 1 to 64 bytes")]
    NoName,
}

impl Certificate {
    /// Reads a certificate file, PEM or DER.
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let format = |error: x509_cert::der::Error| CertificateError::Format(error.to_string());
        if bytes.len() > MOST_BYTES {
            return Err(CertificateError::Format(format!("{} bytes", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "));
        if text.is_some_and(|text| text.contains("PRIVATE KEY")) {
            return Err(CertificateError::Private);
        }
        let parsed = match text {
            Some(text) => x509_cert::Certificate::from_pem(text.trim()),
            None => x509_cert::Certificate::from_der(bytes),
        }
        .map_err(format)?;
        let tbs = parsed.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der().map_err(format)?;
        let key = rsa::PublicKey::from_public_key_der(&spki).map_err(|_| CertificateError::NotRsa)?;
        let bits = key.size() * 8;
        if bits != RSA_BITS {
            return Err(CertificateError::Size(bits));
        }
        let identifier = tbs.get_extension::<SubjectKeyIdentifier>().ok().flatten();
        let key_id = identifier.ok_or(CertificateError::NoKeyId)?.1.0.as_bytes().to_vec();
        let subject =
            common_name(&parsed).filter(|name| (1..=64).contains(&name.len()) && !name.contains(char::is_control));
        let subject = subject.ok_or(CertificateError::NoName)?;
        Ok(Certificate { der: parsed.to_der().map_err(format)?, key_id, subject, key, parsed })
    }

    /// The certificate as a PEM file has it.
    pub fn to_pem(&self) -> String {
        // It was decoded from DER, and every DER has a PEM.
        self.parsed.to_pem(LineEnding::LF).unwrap_or_default()
    }

    /// SHA-256 of its DER.
    pub fn sha256(&self) -> String {
        hex::encode(sha2::Sha256::digest(&self.der))
    }

    /// Its subject's common name.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether its subject says that it is for development: `… development db`, as `orlop keygen` names it.
    pub fn development(&self) -> bool {
        self.subject.split(' ').rev().nth(1) == Some("development")
    }

    /// What a manifest says of it.
    pub fn named(&self) -> orlop_config::manifest::Certificate {
        orlop_config::manifest::Certificate {
            sha256: self.sha256(),
            key_id: hex::encode(&self.key_id),
            subject: self.subject.clone(),
        }
    }

    /// Seconds since 1970 from which and up to which it is valid.
    pub fn validity(&self) -> (u64, u64) {
        let validity = self.parsed.tbs_certificate().validity();
        (validity.not_before.to_unix_duration().as_secs(), validity.not_after.to_unix_duration().as_secs())
    }

    /// The same as dates: `2020-01-01T00:00:00Z`.
    pub fn validity_text(&self) -> (String, String) {
        let validity = self.parsed.tbs_certificate().validity();
        (validity.not_before.to_string(), validity.not_after.to_string())
    }

    /// Whether `signature` is this key's over `message`: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = VerifyingKey::<Sha256>::new(self.key.clone());
        Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }

    /// Whether this is the certificate of that secret key.
    pub fn belongs_to(&self, secret: &rsa::PrivateKey) -> bool {
        use rsa::traits::PublicKeyParts as _;
        secret.n().as_ref() == self.key.n().as_ref() && secret.e() == self.key.e()
    }
}

fn common_name(certificate: &x509_cert::Certificate) -> Option<String> {
    let subject = certificate.tbs_certificate().subject();
    let value = subject.iter().find(|attribute| attribute.oid == CN).map(|attribute| &attribute.value)?;
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned());
    utf8.or_else(|| value.decode_as::<PrintableStringRef<'_>>().ok().map(|text| text.as_str().to_owned()))
}
