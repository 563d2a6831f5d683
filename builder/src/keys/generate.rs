//! Making a set of keys.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use orlop_chain::key::{PublicKey, encode_public};
use zeroize::Zeroizing;

use super::file::{create_new, marked};

/// The files that [`generate`] made.
#[derive(Debug, serde::Serialize)]
pub struct Generated {
    /// The secret key, mode 0600.
    pub secret: PathBuf,
    /// The public key, mode 0644.
    pub public: PathBuf,
    /// Whether both carry the development mark.
    pub development: bool,
}

/// Makes the release key in `folder`: `release.key` and `release.pub`, or `development-release.*`.
/// Nothing that is there is overwritten.
pub fn generate(folder: &Path, development: bool) -> anyhow::Result<Generated> {
    let prefix = if development { "development-" } else { "" };
    let secret = folder.join(format!("{prefix}release.key"));
    let public = folder.join(format!("{prefix}release.pub"));
    for path in [&secret, &public] {
        if path.symlink_metadata().is_ok() {
            anyhow::bail!("{}: exists already; keys are never overwritten, choose another folder", path.display());
        }
    }
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    let key = new_key()?;
    create_new(&secret, &secret_pem(&key, development)?, 0o600)?;
    let text = encode_public(&PublicKey { key: key.verifying_key(), development });
    if let Err(error) = create_new(&public, &text, 0o644) {
        let _ = fs::remove_file(&secret);
        return Err(error);
    }
    Ok(Generated { secret, public, development })
}

/// A new key from the kernel's random numbers.
fn new_key() -> anyhow::Result<SigningKey> {
    use std::io::Read;
    let mut seed = Zeroizing::new([0u8; 32]);
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut *seed))
        .context("/dev/urandom: no random numbers for a key")?;
    Ok(SigningKey::from_bytes(&seed))
}

/// PKCS#8 v1: the form that both OpenSSL 3.0 and dalek read.
fn secret_pem(key: &SigningKey, development: bool) -> anyhow::Result<Zeroizing<String>> {
    let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF)?;
    Ok(Zeroizing::new(marked(development, &pem)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use orlop_chain::key::parse_public;
    use orlop_chain::manifest::{signed_message, verify};

    use crate::keys::{FileSigner, KeyFileError, Signer};

    #[test]
    fn a_generated_key_signs_what_its_public_part_verifies() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(folder.path(), true).unwrap();
        assert_eq!(made.secret.file_name().unwrap(), "development-release.key");
        assert_eq!(fs::metadata(&made.secret).unwrap().permissions().mode() & 0o777, 0o600);
        let signer = FileSigner::open(&made.secret).unwrap();
        let public = parse_public(&fs::read(&made.public).unwrap()).unwrap();
        assert!(public.development);
        assert_eq!(public, signer.public());
        let signature = signer.sign(b"domain\0", b"document").unwrap();
        verify(b"document", b"domain\0", &signature.to_bytes(), &public).unwrap();
    }

    #[test]
    fn keys_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(folder.path(), false).unwrap();
        let before = fs::read(&made.secret).unwrap();
        let error = generate(folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("never overwritten"), "{error}");
        assert_eq!(fs::read(&made.secret).unwrap(), before);
    }

    #[test]
    fn a_group_readable_key_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(folder.path(), false).unwrap();
        fs::set_permissions(&made.secret, fs::Permissions::from_mode(0o640)).unwrap();
        let error = FileSigner::open(&made.secret).err().unwrap();
        assert!(matches!(error, KeyFileError::Readable { mode: 0o640, .. }));
        assert!(error.to_string().contains("chmod 600"));
    }

    #[test]
    fn a_public_key_an_empty_file_and_a_missing_one_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(folder.path(), false).unwrap();
        fs::set_permissions(&made.public, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(FileSigner::open(&made.public), Err(KeyFileError::WrongKind { .. })));
        let empty = folder.path().join("empty");
        create_new(&empty, "", 0o600).unwrap();
        assert!(matches!(FileSigner::open(&empty), Err(KeyFileError::WrongKind { .. })));
        let missing = FileSigner::open(&folder.path().join("missing")).err().unwrap();
        assert!(missing.to_string().contains("orlop keygen"), "{missing}");
    }

    #[test]
    fn openssl_reads_the_secret_key_and_signs_alike() {
        let folder = tempfile::tempdir().unwrap();
        let made = generate(folder.path(), true).unwrap();
        let input = folder.path().join("message");
        fs::write(&input, signed_message(b"domain\0", b"document")).unwrap();
        let output = std::process::Command::new("openssl")
            .args(["pkeyutl", "-sign", "-rawin", "-inkey"])
            .arg(&made.secret)
            .arg("-in")
            .arg(&input)
            .output()
            .expect("openssl is the second witness of key files: `make setup` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ours = FileSigner::open(&made.secret).unwrap().sign(b"domain\0", b"document").unwrap();
        assert_eq!(output.stdout, ours.to_bytes());
    }
}
