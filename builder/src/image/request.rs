//! Signing elsewhere, in one round: the request that a build writes, and the answer that `orlop sign` gives.
//!
//! A request holds no digests to be signed blindly but the documents that speak of the image; what is to be signed
//! is derived from them where it is signed.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::{PublicKey, encode_public, parse_public};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::signing::{Round, Signatures};
use crate::formats::x509::Certificate;

/// Version of both formats. 2: with the provenance.
const VERSION: u32 = 2;

/// What is to be signed (`NAME.request.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    version: u32,
    /// Exact text of the boot manifest.
    boot_manifest: String,
    /// Exact text of the release manifest.
    release_manifest: String,
    /// Exact text of the provenance's statement.
    provenance: String,
    /// The release key's public part, PEM.
    release_key: String,
    /// The db key's certificate, PEM.
    certificate: String,
}

/// The answer (`NAME.signatures.json`): raw signatures in base64, and which image they are for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    version: u32,
    /// Image name.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// Root hash.
    pub root_hash: String,
    boot_manifest: String,
    release_manifest: String,
    provenance: String,
    #[serde(rename = "root_hash_signature")]
    root: String,
    #[serde(rename = "uki_signature")]
    uki: String,
}

impl Request {
    /// The request of a round, for these keys.
    pub fn new(round: &Round, release: &PublicKey, certificate: &Certificate) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Request {
            version: VERSION,
            boot_manifest: text(&round.boot_manifest),
            release_manifest: text(&round.release_manifest),
            provenance: text(&round.provenance),
            release_key: encode_public(release),
            certificate: certificate.to_pem(),
        }
    }

    /// Reads a request's file.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        parse(bytes, "signing request")
    }

    /// Its file.
    pub fn render(&self) -> Vec<u8> {
        render(self)
    }

    /// What it asks to have signed.
    pub fn round(&self) -> anyhow::Result<Round> {
        let [boot_manifest, release_manifest, provenance] =
            [&self.boot_manifest, &self.release_manifest, &self.provenance].map(|text| text.clone().into_bytes());
        Round::new(boot_manifest, release_manifest, provenance)
    }

    /// The keys that it is for.
    pub fn keys(&self) -> anyhow::Result<(PublicKey, Certificate)> {
        let release = parse_public(self.release_key.as_bytes()).context("the request's release key")?;
        Ok((release, Certificate::parse(self.certificate.as_bytes()).context("the request's certificate")?))
    }
}

impl Answer {
    /// The answer to a request.
    pub fn new(round: &Round, signatures: &Signatures) -> Self {
        let boot = round.boot();
        Answer {
            version: VERSION,
            image: boot.image.clone(),
            image_version: boot.image_version.clone(),
            root_hash: boot.verity.root_hash.clone(),
            boot_manifest: STANDARD.encode(signatures.boot_manifest),
            release_manifest: STANDARD.encode(signatures.release_manifest),
            provenance: STANDARD.encode(signatures.provenance),
            root: STANDARD.encode(&signatures.root_hash),
            uki: STANDARD.encode(&signatures.uki),
        }
    }

    /// Reads an answer's file.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        parse(bytes, "signatures")
    }

    /// Its file.
    pub fn render(&self) -> Vec<u8> {
        render(self)
    }

    /// The signatures; who uses them checks them.
    pub fn signatures(&self) -> anyhow::Result<Signatures> {
        let raw =
            |what: &'static str, text: &str| STANDARD.decode(text).with_context(|| format!("signatures: `{what}`"));
        let short = |what: &'static str, text: &str| {
            let bytes = raw(what, text)?;
            bytes.try_into().map_err(|_| anyhow::anyhow!("signatures: `{what}` has not the 64 bytes of ed25519"))
        };
        Ok(Signatures {
            boot_manifest: short("boot_manifest", &self.boot_manifest)?,
            release_manifest: short("release_manifest", &self.release_manifest)?,
            provenance: short("provenance", &self.provenance)?,
            root_hash: raw("root_hash_signature", &self.root)?,
            uki: raw("uki_signature", &self.uki)?,
        })
    }
}

/// The version decides which other fields there are, so it is read before them.
fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> anyhow::Result<T> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let broken = || format!("not a file of {what}, or cut short");
    let Version { version: found } = serde_json::from_slice(bytes).with_context(broken)?;
    if found != VERSION {
        bail!(
            "{what}: its format is version {found}, and version {VERSION} is the one known here; use the `orlop` that made it"
        );
    }
    serde_json::from_slice(bytes).with_context(broken)
}

fn render(document: &impl Serialize) -> Vec<u8> {
    // Structures of strings and numbers.
    let mut bytes = serde_json::to_vec_pretty(document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_version_is_called_so_whatever_fields_it_has() {
        let error = |parsed: anyhow::Result<()>| format!("{:#}", parsed.unwrap_err());
        for version in [1, 3] {
            let bytes = format!("{{\"version\": {version}, \"more\": \"\"}}").into_bytes();
            let says = format!("its format is version {version}, and version 2 is the one known here");
            for text in [error(Request::parse(&bytes).map(drop)), error(Answer::parse(&bytes).map(drop))] {
                assert!(text.contains(&says) && text.contains("use the `orlop` that made it"), "{text}");
            }
        }
        for bytes in [&b""[..], b"{}", b"{\"version\": 2}", b"{\"version\": -1}"] {
            let text = error(Request::parse(bytes).map(drop));
            assert!(text.starts_with("not a file of signing request, or cut short: "), "{text}");
            let text = error(Answer::parse(bytes).map(drop));
            assert!(text.starts_with("not a file of signatures, or cut short: "), "{text}");
        }
    }
}
