//! Making a set of keys.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding};
use getrandom::SysRng;
use orlop_chain::key::{PublicKey, encode_public};
use orlop_config::keys::{self, FILE, Keys};
use zeroize::Zeroizing;

use super::file::{create_new, marked};
use super::{RsaFile, Signer};
use crate::formats::efi_signature::{Variable, auth, owner, signature_list, to_sign};
use crate::formats::x509::{Certificate, RSA_BITS, Subject, make};

/// The files that [`generate`] made.
#[derive(Debug, serde::Serialize)]
pub struct Generated {
    /// The set's description, which `--keys` takes.
    pub keys: PathBuf,
    /// Secret keys, mode 0600.
    pub secret: Vec<PathBuf>,
    /// Public parts, certificates, and what firmware takes; mode 0644.
    pub public: Vec<PathBuf>,
    /// Whether all carry the development mark.
    pub development: bool,
}

/// What the certificates say.
#[derive(Debug, Clone)]
pub struct Names {
    /// Whose keys these are: the certificates are called `NAME PK`, `NAME KEK` and `NAME db`.
    pub name: String,
    /// The last day of their validity: year, month, day.
    pub end: (u16, u8, u8),
    /// Whether this is a development set, which every image signed with it says.
    pub development: bool,
    /// Seconds since 1970 of the signed updates: firmware takes none that is older than what it has.
    pub time: u64,
}

/// A file before it is written: its name, its mode, its content.
type Planned = (String, u32, Zeroizing<Vec<u8>>);

/// Makes a set in `folder`: release key, PK, KEK and db with their certificates, signature lists and signed updates, and
/// `keys.toml`, which names those that sign images. Nothing that is there is overwritten.
pub fn generate(folder: &Path, names: &Names) -> anyhow::Result<Generated> {
    let planned = plan(names)?;
    for (name, ..) in &planned {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            bail!("{}: exists already; keys are never overwritten, choose another folder", path.display());
        }
    }
    fs::create_dir_all(folder).with_context(|| format!("{}: the folder cannot be made", folder.display()))?;
    for (index, (name, mode, bytes)) in planned.iter().enumerate() {
        if let Err(error) = create_new(&folder.join(name), bytes, *mode) {
            // Half a set would only confuse; the folder is as it was.
            planned[..index].iter().for_each(|(name, ..)| drop(fs::remove_file(folder.join(name))));
            return Err(error);
        }
    }
    let of_mode = |wanted: u32| {
        let files = planned.iter().filter(move |(name, mode, _)| *mode == wanted && name != FILE);
        files.map(|(name, ..)| folder.join(name)).collect()
    };
    Ok(Generated {
        keys: folder.join(FILE),
        secret: of_mode(SECRET),
        public: of_mode(PUBLIC),
        development: names.development,
    })
}

const SECRET: u32 = 0o600;
const PUBLIC: u32 = 0o644;

fn plan(names: &Names) -> anyhow::Result<Vec<Planned>> {
    let mut planned = release_key(names.development)?;
    let set = [Variable::Pk, Variable::Kek, Variable::Db].map(|variable| FirmwareKey::make(variable, names));
    let [platform, exchange, database] = set;
    let set = [platform?, exchange?, database?];
    let owner = owner(&set[0].certificate);
    // Who signs whose update: the platform key its own and KEK's, KEK db's.
    for (key, by) in set.iter().zip([&set[0], &set[0], &set[1]]) {
        planned.extend(key.files(by, names, &owner)?);
    }
    let keys = Keys {
        release: keys::ReleaseKey {
            public: "release.pub".into(),
            signer: Some(keys::Signer::Key("release.key".into())),
        },
        db: keys::DbKey { certificate: "db.crt".into(), signer: Some(keys::Signer::Key("db.key".into())) },
        policy: None,
    };
    planned.push((FILE.into(), PUBLIC, keys::render(&keys).into_bytes().into()));
    Ok(planned)
}

fn release_key(development: bool) -> anyhow::Result<Vec<Planned>> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *seed).map_err(|error| anyhow::anyhow!("no random numbers for a key: {error}"))?;
    let key = SigningKey::from_bytes(&seed);
    // PKCS#8 v1: the form that both OpenSSL 3.0 and dalek read.
    let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
    let secret = Zeroizing::new(marked(development, &pair.to_pkcs8_pem(LineEnding::LF)?));
    let public = encode_public(&PublicKey { key: key.verifying_key(), development });
    Ok(vec![
        ("release.key".into(), SECRET, secret.as_bytes().to_vec().into()),
        ("release.pub".into(), PUBLIC, public.into_bytes().into()),
    ])
}

/// A key that firmware holds the certificate of.
struct FirmwareKey {
    variable: Variable,
    secret: RsaFile,
    certificate: Certificate,
}

impl FirmwareKey {
    fn make(variable: Variable, names: &Names) -> anyhow::Result<Self> {
        let secret = RsaFile { key: rsa::PrivateKey::new(&mut SysRng, RSA_BITS).context("an RSA key")? };
        let mark = if names.development { "development " } else { "" };
        let subject = Subject { name: format!("{} {mark}{}", names.name, variable.name()), end: names.end };
        let certificate = make(&subject, &rsa::pkcs1v15::SigningKey::new(secret.key.clone()))?;
        Ok(FirmwareKey { variable, secret, certificate })
    }

    fn files(&self, by: &FirmwareKey, names: &Names, owner: &uuid::Uuid) -> anyhow::Result<Vec<Planned>> {
        let name = self.variable.name();
        let list = signature_list(std::slice::from_ref(&self.certificate), owner);
        let signature = by.secret.sign(&to_sign(self.variable, names.time, &list)?)?;
        let update = auth(names.time, &list, &by.certificate, &signature)?;
        let secret = rsa::pkcs8::EncodePrivateKey::to_pkcs8_pem(&self.secret.key, rsa::pkcs8::LineEnding::LF)?;
        let secret = Zeroizing::new(marked(names.development, &secret));
        Ok(vec![
            (format!("{name}.key"), SECRET, secret.as_bytes().to_vec().into()),
            (format!("{name}.crt"), PUBLIC, self.certificate.to_pem().into_bytes().into()),
            (format!("{name}.esl"), PUBLIC, list.into()),
            (format!("{name}.auth"), PUBLIC, update.into()),
        ])
    }
}
