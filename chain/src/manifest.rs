//! Manifests: what is in them must make sense before it is used, and who signed them must be the release key.

use ed25519_dalek::Signature;
use orlop_config::manifest::{BootManifest, DocumentError, ReleaseManifest};
use sha2::{Digest, Sha256};

use crate::key::PublicKey;

/// Why a manifest is not one, or not ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not this document, or a field with a value that this code does not know.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Not 64 bytes.
    #[error("the signature has {0} bytes, an ed25519 signature has 64")]
    SignatureLength(usize),
    /// By another key, or over other bytes.
    #[error("the signature is not by a trusted release key over these bytes")]
    Signature,
    /// Key and manifest do not agree on whether this is for development only.
    #[error("development: the manifest says {manifest}, the key says {key}")]
    Development {
        /// The manifest's word.
        manifest: bool,
        /// The key file's word.
        key: bool,
    },
}

/// Reads a boot manifest and checks every field that a boot relies on.
pub fn parse_boot(bytes: &[u8]) -> Result<BootManifest, ManifestError> {
    Ok(orlop_config::manifest::parse_boot(bytes)?)
}

/// Reads a release manifest and checks its version and digests.
pub fn parse_release(bytes: &[u8]) -> Result<ReleaseManifest, ManifestError> {
    Ok(orlop_config::manifest::parse_release(bytes)?)
}

/// What is signed for a manifest: few bytes, so that hardware tokens and signer commands can take them.
pub fn signed_message(domain: &[u8], bytes: &[u8]) -> Vec<u8> {
    [domain, Sha256::digest(bytes).as_slice()].concat()
}

/// Verifies `signature` over the exact stored bytes of a manifest.
pub fn verify(bytes: &[u8], domain: &[u8], signature: &[u8], key: &PublicKey) -> Result<(), ManifestError> {
    verify_message(&signed_message(domain, bytes), signature, key)
}

/// Verifies `signature` over a message that keeps itself apart from all others, as those of [`signed_message`] do by their
/// domain (`verify_strict`: no second signature fits).
pub fn verify_message(message: &[u8], signature: &[u8], key: &PublicKey) -> Result<(), ManifestError> {
    let signature = Signature::from_slice(signature).map_err(|_| ManifestError::SignatureLength(signature.len()))?;
    key.key.verify_strict(message, &signature).map_err(|_| ManifestError::Signature)
}

/// Verifies a signature that any of these keys may have made; the key that did.
pub fn verify_by_any<'k>(
    bytes: &[u8],
    domain: &[u8],
    signature: &[u8],
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, ManifestError> {
    let mut refused = ManifestError::Signature;
    for key in keys {
        match verify(bytes, domain, signature, key) {
            Ok(()) => return Ok(key),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Checks that a manifest and its key agree on being for development.
pub fn check_development(manifest: bool, key: &PublicKey) -> Result<(), ManifestError> {
    if manifest == key.development {
        return Ok(());
    }
    Err(ManifestError::Development { manifest, key: key.development })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use orlop_config::manifest::{BOOT_DOMAIN, RELEASE_DOMAIN, Refusal, Trust, Verity};
    use proptest::prelude::*;

    pub(crate) fn sample() -> BootManifest {
        BootManifest {
            version: 1,
            image: "standalone".to_owned(),
            image_version: "1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            class: "public".to_owned(),
            command_line: "gpt panic=10 --".to_owned(),
            verity: Verity {
                root_hash: "954172dfee9aaab2d90a0ab162ee6bc5a6a77ede951fad19f0f94df0d7266a93".to_owned(),
                salt: "11".repeat(32),
                uuid: "954172df-ee9a-8ab2-990a-0ab162ee6bc5".to_owned(),
                algorithm: "sha256".to_owned(),
                data_block_size: 4096,
                hash_block_size: 4096,
                data_blocks: 1000,
                hash_start_block: 1,
            },
            refusal: Refusal::Reboot,
            trust: Trust::default(),
            development: true,
        }
    }

    fn key() -> (SigningKey, PublicKey) {
        let secret = SigningKey::from_bytes(&[3; 32]);
        let public = PublicKey { key: secret.verifying_key(), development: true };
        (secret, public)
    }

    #[test]
    fn any_trusted_key_will_do_and_no_other() {
        let bytes = serde_json::to_vec(&sample()).unwrap();
        let (secret, public) = key();
        let other = PublicKey { key: SigningKey::from_bytes(&[4; 32]).verifying_key(), development: true };
        let signature = secret.sign(&signed_message(BOOT_DOMAIN, &bytes)).to_bytes();
        let keys = [other.clone(), public];
        assert_eq!(verify_by_any(&bytes, BOOT_DOMAIN, &signature, &keys), Ok(&keys[1]));
        assert_eq!(verify_by_any(&bytes, BOOT_DOMAIN, &signature, &[other]), Err(ManifestError::Signature));
        assert_eq!(verify_by_any(&bytes, BOOT_DOMAIN, &signature, &[]), Err(ManifestError::Signature));
    }

    #[test]
    fn a_signature_holds_for_its_bytes_domain_and_key_only() {
        let bytes = serde_json::to_vec(&sample()).unwrap();
        let (secret, public) = key();
        let signature = secret.sign(&signed_message(BOOT_DOMAIN, &bytes)).to_bytes();
        assert_eq!(verify(&bytes, BOOT_DOMAIN, &signature, &public), Ok(()));
        assert_eq!(verify(&bytes, RELEASE_DOMAIN, &signature, &public), Err(ManifestError::Signature));
        assert_eq!(verify(&bytes[1..], BOOT_DOMAIN, &signature, &public), Err(ManifestError::Signature));
        assert_eq!(verify(&bytes, BOOT_DOMAIN, &signature[1..], &public), Err(ManifestError::SignatureLength(63)));
        let other = PublicKey { key: SigningKey::from_bytes(&[4; 32]).verifying_key(), development: true };
        assert_eq!(verify(&bytes, BOOT_DOMAIN, &signature, &other), Err(ManifestError::Signature));
    }

    #[test]
    fn parameters_that_the_kernel_must_not_get_are_named() {
        type Damage = (&'static str, fn(&mut BootManifest));
        let cases: [Damage; 7] = [
            ("command_line", |m| m.command_line = "quiet".to_owned()),
            ("root_hash", |m| m.verity.root_hash.truncate(63)),
            ("salt", |m| m.verity.salt = "- 0".to_owned()),
            ("algorithm", |m| m.verity.algorithm = "sha1".to_owned()),
            ("data_block_size", |m| m.verity.data_block_size = 512),
            ("data_blocks", |m| m.verity.data_blocks = u64::MAX),
            ("hash_start_block", |m| m.verity.hash_start_block = 0),
        ];
        for (name, damage) in cases {
            let mut manifest = sample();
            damage(&mut manifest);
            let error = parse_boot(&serde_json::to_vec(&manifest).unwrap()).unwrap_err();
            assert!(error.to_string().contains(&format!("`{name}` is")), "{error}");
        }
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = serde_json::to_vec(&sample()).unwrap();
        assert_eq!(parse_boot(&bytes), Ok(sample()));
        for end in 0..bytes.len() {
            assert!(parse_boot(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_an_error(bytes: Vec<u8>) {
            let _ = parse_boot(&bytes);
            let _ = parse_release(&bytes);
        }

        #[test]
        fn one_changed_byte_never_panics(at in 0_usize..500, byte: u8) {
            let mut bytes = serde_json::to_vec(&sample()).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse_boot(&bytes);
        }
    }
}
