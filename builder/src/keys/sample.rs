//! Keys of the tests: made once per run.

use std::sync::OnceLock;

use getrandom::SysRng;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};

use super::RsaFile;
use super::Signer;
use crate::formats::x509::{Certificate, Subject, make};
fn keys() -> &'static [rsa::PrivateKey; 2] {
    static KEYS: OnceLock<[rsa::PrivateKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| [(); 2].map(|()| rsa::PrivateKey::new(&mut SysRng, 2048).expect("a key")))
}

/// The RSA key.
pub fn rsa_key() -> rsa::PrivateKey {
    keys()[0].clone()
}

/// Its key file's text.
pub fn rsa_pem() -> String {
    rsa_key().to_pkcs8_pem(LineEnding::LF).expect("PEM").to_string()
}

/// Its certificate.
pub fn certificate() -> Certificate {
    certificate_of("Test db", 0)
}

/// The certificate of another key.
pub fn foreign_certificate() -> Certificate {
    certificate_of("Foreign db", 1)
}

fn certificate_of(name: &str, index: usize) -> Certificate {
    let subject = Subject { name: name.into(), end: (2049, 12, 31) };
    make(&subject, &SigningKey::new(keys()[index].clone())).expect("a certificate")
}

/// The RSA key's signature.
pub fn rsa_signature(message: &[u8]) -> Vec<u8> {
    RsaFile { key: rsa_key() }.sign(message).expect("a signature")
}
