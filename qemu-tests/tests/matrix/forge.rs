//! Keys and signatures for rows: ours, which `make image` used, and a stranger's, made once per run. The signer is
//! somebody else's (`openssl`, `sbsign`), so that a row does not judge our signer by itself.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop::keys::{ReleaseFile, Signer};
use orlop_chain::manifest::signed_message;
use orlop_config::manifest::BOOT_DOMAIN;
use orlop_machine::firmware::certificate;
use orlop_machine::program;
use tempfile::TempDir;

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The keys that the image trusts: what only its owner can do.
    Us,
    /// Somebody else.
    Stranger,
}

/// The release key's file.
const RELEASE: &str = "release.key";

/// The folder of our keys.
pub fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../out/keys")
}

/// The stranger's keys: `db.key`, `db.crt` and a release key.
static STRANGER: LazyLock<Result<Kept, String>> = LazyLock::new(|| Kept::new().map_err(|error| format!("{error:#}")));

struct Kept(TempDir);

impl Kept {
    fn new() -> Result<Kept> {
        let folder = TempDir::with_prefix("orlop-stranger-")?;
        let (key, certificate) = (folder.path().join("db.key"), folder.path().join("db.crt"));
        let words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7000", "-subj", "/CN=a stranger"];
        let words: Vec<&OsStr> = words.map(OsStr::new).to_vec();
        let files = [OsStr::new("-keyout"), key.as_os_str(), OsStr::new("-out"), certificate.as_os_str()];
        program::run(("openssl", "openssl"), &[words, files.to_vec()].concat())?;
        let release = folder.path().join(RELEASE);
        let words = ["genpkey", "-algorithm", "ed25519", "-out"].map(OsStr::new);
        program::run(("openssl", "openssl"), &[&words[..], &[release.as_os_str()]].concat())?;
        Ok(Kept(folder))
    }
}

fn folder(by: By) -> Result<PathBuf> {
    match (by, &*STRANGER) {
        (By::Us, _) => Ok(keys()),
        (By::Stranger, Ok(kept)) => Ok(kept.0.path().to_owned()),
        (By::Stranger, Err(error)) => anyhow::bail!("making a stranger's keys: {error}"),
    }
}

/// The stranger's certificate, in DER.
pub fn foreign_certificate() -> Result<Vec<u8>> {
    Ok(certificate(&folder(By::Stranger)?.join("db.crt"))?)
}

/// A boot manifest's ed25519 signature, in base64.
pub fn manifest_signature(manifest: &[u8], by: By) -> Result<String> {
    let key = ReleaseFile::open(&folder(by)?.join(RELEASE))?;
    Ok(STANDARD.encode(key.sign(&signed_message(BOOT_DOMAIN, manifest))?))
}

/// A root hash's signature as the signature partition has it: a detached PKCS#7 over its text, in base64.
pub fn root_signature(root_hash: &str, by: By) -> Result<String> {
    let work = TempDir::new()?;
    let (text, signature) = (work.path().join("text"), work.path().join("signature"));
    fs::write(&text, root_hash)?;
    pkcs7(&folder(by)?, (&text, &signature), &[])?;
    Ok(STANDARD.encode(fs::read(&signature)?))
}

/// What the kernel takes for a signature: no attributes, no certificate.
fn pkcs7(keys: &Path, (text, signature): (&Path, &Path), more: &[&str]) -> Result<()> {
    let words = ["cms", "-sign", "-binary", "-noattr", "-nocerts", "-outform", "DER", "-md", "sha256"];
    let (key, certificate) = (keys.join("db.key"), keys.join("db.crt"));
    let files = [("-inkey", key.as_path()), ("-signer", &certificate), ("-in", text), ("-out", signature)];
    let files = files.iter().flat_map(|(name, path)| [OsStr::new(name), path.as_os_str()]);
    let words: Vec<&OsStr> = words.iter().chain(more).map(OsStr::new).chain(files).collect();
    Ok(program::run(("openssl", "openssl"), &words)?)
}

/// A program for the firmware, signed.
pub fn signed(unsigned: &[u8], by: By) -> Result<Vec<u8>> {
    let keys = folder(by)?;
    let work = TempDir::new()?;
    let (from, to) = (work.path().join("unsigned.efi"), work.path().join("signed.efi"));
    fs::write(&from, unsigned)?;
    let key = keys.join("db.key");
    let certificate = keys.join("db.crt");
    let words: [&OsStr; 7] = [
        "--key".as_ref(),
        key.as_ref(),
        "--cert".as_ref(),
        certificate.as_ref(),
        "--output".as_ref(),
        to.as_ref(),
        from.as_ref(),
    ];
    program::run(("sbsign", "sbsigntool"), &words)?;
    fs::read(&to).context("sbsign's output")
}
