//! `orlop verify`: the checks that the boot makes, from outside, by the same code (`orlop-chain`), and the
//! release manifest's on top.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::device::{ReadAt, Region};
use orlop_chain::disk::{Disk, Found, find_root};
use orlop_chain::key::{PublicKey, encode_public, parse_trusted};
use orlop_chain::verity::Superblock;
use orlop_chain::verity::tree::verify_whole;
use orlop_chain::{Refusal, RootHash, Stage, manifest, signature_partition};
use orlop_config::manifest::{
    BOOT_DOMAIN, BootManifest, LIMIT, RELEASE_DOMAIN, ReleaseManifest, SecureBoot, SignaturePartition,
};
use orlop_config::node::IPE_POLICY;
use serde::Serialize;

use super::licences::MOST as MOST_DOCUMENT;
use super::open::{Cursor, Image, UKI_PATH, Uki, region_sha256};
use super::signing::difference;
use super::{policy, provenance};
use crate::bounded::read_at_most;
use crate::formats::pkcs7::Signed;
use crate::formats::x509::Certificate;
use crate::formats::{authenticode, erofs};
use crate::keys::{trusted_certificates, trusted_release_keys};
use crate::sources::hash;

/// Where the release manifest is, and the provenance.
#[derive(Debug, Clone)]
pub enum Release {
    /// In these files.
    Files {
        /// The release manifest; its signature is beside it, with `.sig`.
        manifest: PathBuf,
        /// The provenance, where it is asked for.
        provenance: Option<PathBuf>,
    },
    /// None: only the image is verified, and the verdict says so.
    ImageOnly,
}

/// What was found, check by check; complete when nothing was refused.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Image name.
    pub image: String,
    /// Image version.
    pub image_version: String,
    /// Root hash.
    pub root_hash: String,
    /// Whether development keys signed it.
    pub development: bool,
    /// Whose certificate the firmware starts it by.
    pub signer: String,
    /// What the image asks of Secure Boot.
    pub secure_boot: SecureBoot,
    /// Whether no release manifest was asked for.
    pub image_only: bool,
    /// The checks that passed, in order.
    pub passed: Vec<Passed>,
}

/// A check that passed.
#[derive(Debug, Serialize)]
pub struct Passed {
    /// The link of the chain: which part vouches for which.
    pub link: &'static str,
    /// The stage's name.
    pub stage: &'static str,
    /// What holds.
    pub what: String,
}

/// Whom a verifier trusts.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Release keys.
    pub keys: Vec<PublicKey>,
    /// Certificates of the firmware's db.
    pub certificates: Vec<Certificate>,
}

impl Trust {
    /// Reads them from their files.
    pub fn read(keys: &[PathBuf], certificates: &[PathBuf]) -> anyhow::Result<Self> {
        Ok(Trust { keys: trusted_release_keys(keys)?, certificates: trusted_certificates(certificates)? })
    }
}

/// Verifies an image; the error is the first refusal, and `passed` has the checks before it.
pub fn verify(path: &Path, trust: &Trust, release: &Release, passed: &mut Vec<Passed>) -> anyhow::Result<Verdict> {
    let image = Image::open(path)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut checks = Checks { image: &image, trust, threads, passed };
    checks.table()?;
    let uki = image.uki()?;
    let (digest, signer) = checks.uki_signature(&uki)?;
    checks.nothing_beside()?;
    let bytes = uki.boot_manifest()?;
    let boot = manifest::parse_boot(&bytes)
        .map_err(|error| Refusal::new(Stage::Manifest, format!("{}: {error}", path.display())))?;
    let release = match release {
        Release::Files { manifest, provenance } => {
            let (bytes, release) = checks.release(manifest, (&bytes, &boot))?;
            if let Some(file) = provenance {
                checks.provenance(file, &bytes, &release)?;
            }
            Some(release)
        }
        Release::ImageOnly => None,
    };
    let root: RootHash = boot.verity.root_hash.parse().map_err(|error| Refusal::new(Stage::Manifest, error))?;
    checks.uki(&uki, &boot)?;
    checks.certificates(&boot, signer)?;
    if let Some(release) = &release {
        checks.uki_digest(&digest, release)?;
    }
    let found = checks.partitions(&root)?;
    let document = checks.boot_signature(&found, &root, &bytes, &boot)?;
    checks.root_signature(&document, signer)?;
    checks.superblock(&found, &boot)?;
    checks.tree(&found, &boot, release.as_ref())?;
    checks.policy(&found, signer)?;
    Ok(Verdict {
        image: boot.image,
        image_version: boot.image_version,
        root_hash: boot.verity.root_hash,
        development: boot.development,
        signer: signer.subject().to_owned(),
        secure_boot: boot.trust.secure_boot,
        image_only: release.is_none(),
        passed: std::mem::take(checks.passed),
    })
}

struct Checks<'a, 'c> {
    image: &'a Image,
    trust: &'c Trust,
    threads: usize,
    passed: &'a mut Vec<Passed>,
}

impl<'c> Checks<'_, 'c> {
    fn pass(&mut self, stage: Stage, what: impl Into<String>) {
        self.passed.push(Passed { link: link(stage), stage: stage.name(), what: what.into() });
    }

    fn table(&mut self) -> Result<(), Refusal> {
        if let Some(damage) = self.image.table.damage() {
            return Err(Refusal::new(Stage::Gpt, damage));
        }
        let count = self.image.table.gpt.entries.len();
        self.pass(Stage::Gpt, format!("both copies of the partition table agree on {count} partitions"));
        Ok(())
    }

    /// The UKI's digest, and who signed it.
    fn uki_signature(&mut self, uki: &Uki) -> Result<([u8; 32], &'c Certificate), Refusal> {
        let trust: &'c Trust = self.trust;
        let signed = authenticode::digest_signed_by(&uki.bytes, &trust.certificates);
        let refused = |error| Refusal::new(Stage::UkiSignature, format!("{UKI_PATH}: {error}"));
        let (digest, certificate) = signed.map_err(refused)?;
        self.pass(Stage::UkiSignature, format!("the UKI is signed by `{}`", certificate.subject()));
        Ok((digest, certificate))
    }

    /// The manifest lists whom the machine may trust: its own signer first, and nobody who was not given.
    fn certificates(&mut self, boot: &BootManifest, signer: &Certificate) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Uki, reason);
        let listed = &boot.trust.certificates;
        if listed.first().is_none_or(|first| first.sha256 != signer.sha256()) {
            return Err(refused(format!("its manifest does not name its signer `{}` first", signer.subject())));
        }
        let given: Vec<String> = self.trust.certificates.iter().map(Certificate::sha256).collect();
        match listed.iter().find(|certificate| !given.contains(&certificate.sha256)) {
            Some(stranger) => {
                let (subject, sha256) = (&stranger.subject, &stranger.sha256);
                Err(refused(format!("it trusts the certificate `{subject}`, which was not given: SHA-256 {sha256}")))
            }
            None => Ok(()),
        }
    }

    /// The UKI's stub picks up credentials and extensions that nobody signed, and loaders more than that.
    fn nothing_beside(&mut self) -> Result<(), Refusal> {
        let found = self.image.beside_uki().map_err(|error| Refusal::new(Stage::Extra, error))?;
        if let Some(path) = found {
            return Err(Refusal::new(Stage::Extra, format!("{path}: no image of Orlop has it; remove it")));
        }
        self.pass(Stage::Extra, "the ESP holds the UKI and nothing else");
        Ok(())
    }

    /// The release manifest, and its exact bytes.
    fn release(&mut self, file: &Path, boot: (&[u8], &BootManifest)) -> Result<(Vec<u8>, ReleaseManifest), Refusal> {
        let read = |path: &Path| {
            read_at_most(path, LIMIT as u64).map_err(|error| {
                let next = "name it with --manifest, or verify the image alone with --image-only";
                Refusal::new(Stage::ReleaseManifest, format!("{error:#}; {next}"))
            })
        };
        let bytes = read(file)?;
        let mut name = file.as_os_str().to_owned();
        name.push(".sig");
        let text = read(Path::new(&name))?;
        let refused = |reason: String| Refusal::new(Stage::ReleaseSignature, reason);
        let signature = STANDARD.decode(text.trim_ascii()).map_err(|e| refused(format!("{}: {e}", name.display())))?;
        let key = manifest::verify_by_any(&bytes, RELEASE_DOMAIN, &signature, &self.trust.keys)
            .map_err(|error| refused(error.to_string()))?;
        let release = manifest::parse_release(&bytes)
            .map_err(|error| Refusal::new(Stage::ReleaseManifest, format!("{}: {error}", file.display())))?;
        manifest::check_development(release.development, key).map_err(|e| refused(e.to_string()))?;
        self.pass(Stage::ReleaseSignature, "the release manifest is signed by this key");
        let (boot_bytes, boot) = boot;
        if release.boot_manifest_sha256 != hash(boot_bytes) {
            return Err(Refusal::new(
                Stage::ReleaseManifest,
                "it speaks of another boot manifest than the image carries",
            ));
        }
        if let Some(difference) = difference(&release, boot) {
            return Err(Refusal::new(Stage::ReleaseManifest, difference));
        }
        self.pass(Stage::ReleaseManifest, format!("it speaks of this {} {}", release.image, release.image_version));
        self.companions(&release, file.parent().unwrap_or(Path::new("")))?;
        Ok((bytes, release))
    }

    /// The provenance's subjects are what the release manifest names: the other checks hold the image against those.
    fn provenance(&mut self, file: &Path, bytes: &[u8], release: &ReleaseManifest) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Provenance, reason);
        let named = |error: &dyn std::fmt::Display| refused(format!("{}: {error}", file.display()));
        let envelope = provenance::read(file).map_err(|error| refused(format!("{error:#}")))?;
        let (payload, key) =
            envelope.verify(provenance::PAYLOAD_TYPE, &self.trust.keys).map_err(|error| named(&error))?;
        manifest::check_development(release.development, key).map_err(|error| named(&error))?;
        let statement = provenance::check(&payload, bytes, release).map_err(|error| named(&error))?;
        let inputs = statement.predicate.build_definition.resolved_dependencies.len();
        self.pass(Stage::Provenance, format!("signed by this key, about this image, made from {inputs} inputs"));
        Ok(())
    }

    /// The documents beside a release manifest are those that it names. One that was not brought along claims nothing.
    fn companions(&mut self, release: &ReleaseManifest, folder: &Path) -> Result<(), Refusal> {
        let mut there = Vec::new();
        for (name, want) in &release.companions {
            let path = folder.join(name);
            let refused =
                |reason: String| Refusal::new(Stage::ReleaseManifest, format!("{}: {reason}", path.display()));
            match document_sha256(&path).map_err(|error| refused(error.to_string()))? {
                Some(found) if found == *want => there.push(name.as_str()),
                Some(found) => {
                    return Err(refused(format!("not the document that it names: SHA-256 {found}, not {want}")));
                }
                None => {}
            }
        }
        if !there.is_empty() {
            self.pass(Stage::ReleaseManifest, format!("{} beside it: what it names", there.join(", ")));
        }
        Ok(())
    }

    fn partitions(&mut self, root: &RootHash) -> Result<Found, Refusal> {
        let name = self.image.path.display().to_string();
        let found = find_root(&[Disk { name: &name, gpt: &self.image.table.gpt }], root, None)?;
        self.pass(
            Stage::Disk,
            format!("the UUIDs of partitions {} and {} are the root hash", found.root.number, found.verity.number),
        );
        Ok(found)
    }

    fn boot_signature(
        &mut self,
        found: &Found,
        root: &RootHash,
        bytes: &[u8],
        boot: &BootManifest,
    ) -> Result<SignaturePartition, Refusal> {
        let partition = self.image.region(&found.signature);
        let length = usize::try_from(partition.size().unwrap_or(0)).unwrap_or(usize::MAX);
        let refused = |reason: String| Refusal::new(Stage::SignaturePartition, reason);
        let content = partition
            .bytes_at(0, length.min(signature_partition::PARTITION_BYTES))
            .map_err(|error| refused(error.to_string()))?;
        let document = signature_partition::parse(&content).map_err(|error| refused(error.to_string()))?;
        let signature =
            signature_partition::boot_signature(&document, root).map_err(|error| refused(error.to_string()))?;
        self.pass(Stage::SignaturePartition, "it speaks of this root hash");
        let refused = |error: manifest::ManifestError| Refusal::new(Stage::ManifestSignature, error);
        let key = manifest::verify_by_any(bytes, BOOT_DOMAIN, &signature, &self.trust.keys).map_err(refused)?;
        manifest::check_development(boot.development, key).map_err(refused)?;
        self.pass(Stage::ManifestSignature, "the boot manifest is signed by this key");
        Ok(document)
    }

    fn root_signature(&mut self, document: &SignaturePartition, signer: &Certificate) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal::new(Stage::RootSignature, reason);
        let pkcs7 = document.signature.as_deref().ok_or_else(|| refused("the root hash is not signed".into()))?;
        let pkcs7 = STANDARD.decode(pkcs7).map_err(|error| refused(error.to_string()))?;
        let signed = Signed::parse(&pkcs7).map_err(|error| refused(error.to_string()))?;
        if !signed.is_detached() {
            return Err(refused("its signature is not a detached one, which the kernel asks for".into()));
        }
        let certificate = signed
            .signed_by(document.root_hash.as_bytes(), std::slice::from_ref(signer))
            .map_err(|error| refused(error.to_string()))?;
        if document.certificate_fingerprint.as_ref().is_some_and(|named| *named != certificate.sha256()) {
            return Err(refused("its certificateFingerprint is another certificate's".into()));
        }
        self.pass(Stage::RootSignature, format!("the root hash is signed by `{}`", certificate.subject()));
        Ok(())
    }

    fn policy(&mut self, found: &Found, signer: &Certificate) -> Result<(), Refusal> {
        let refused = |error: &dyn std::fmt::Display| Refusal::new(Stage::Ipe, format!("{IPE_POLICY}: {error:#}"));
        let policy = erofs::read(&mut Cursor::new(self.image.region(&found.root)), IPE_POLICY);
        let policy = policy.map_err(|error| refused(&error))?;
        let certificate = policy::check(&policy, std::slice::from_ref(signer)).map_err(|error| refused(&error))?;
        self.pass(Stage::Ipe, format!("the kernel's policy is signed by `{}`", certificate.subject()));
        Ok(())
    }

    fn superblock(&mut self, found: &Found, boot: &BootManifest) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Superblock, reason);
        let bytes = self.image.region(&found.verity).bytes_at(0, 512).map_err(|error| refused(error.to_string()))?;
        let superblock = Superblock::parse(&bytes).map_err(|error| refused(error.to_string()))?;
        superblock.check_against(&boot.verity).map_err(|error| refused(error.to_string()))?;
        self.pass(Stage::Superblock, "the verity superblock says what the manifest says");
        Ok(())
    }

    fn tree(&mut self, found: &Found, boot: &BootManifest, release: Option<&ReleaseManifest>) -> Result<(), Refusal> {
        let (data, hashes) = (self.image.region(&found.root), self.image.region(&found.verity));
        // The release manifest's digests are over the same bytes: they are made beside the tree's, on a core of their own.
        let (tree, digests) = std::thread::scope(|scope| {
            let digests = release.map(|release| scope.spawn(|| digests_hold(release, &data, &hashes)));
            let threads = self.threads - usize::from(digests.is_some());
            let tree = verify_whole(&data, &hashes, &boot.verity, threads.max(1));
            let joined = digests.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            (tree, joined.unwrap_or(Ok(())))
        });
        tree.map_err(|error| Refusal::new(Stage::Tree, error))?;
        digests?;
        self.pass(
            Stage::Tree,
            format!("all {} blocks of the root have the hashes that lead to the root hash", boot.verity.data_blocks),
        );
        Ok(())
    }

    fn uki(&mut self, uki: &Uki, boot: &BootManifest) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal::new(Stage::Uki, reason);
        if uki.command_line != boot.command_line {
            return Err(refused("its command line is not the boot manifest's".into()));
        }
        let keys = parse_trusted(&uki.public_key()?).map_err(|error| refused(format!("its release keys: {error}")))?;
        if let Some(stranger) = keys.iter().find(|key| !self.trust.keys.contains(key)) {
            let key = encode_public(stranger).replace('\n', " ");
            return Err(refused(format!("it trusts a release key that was not given: {key}")));
        }
        self.pass(Stage::Uki, "it carries this manifest, its command line and no other key");
        Ok(())
    }

    fn uki_digest(&mut self, digest: &[u8; 32], release: &ReleaseManifest) -> Result<(), Refusal> {
        if hex::encode(digest) != release.uki_authenticode_sha256 {
            return Err(Refusal::new(Stage::Uki, "its digest is not the release manifest's"));
        }
        self.pass(Stage::Uki, "its digest is the release manifest's");
        Ok(())
    }
}

/// SHA-256 of a document beside a release manifest; `None` where it was not brought along.
fn document_sha256(path: &Path) -> io::Result<Option<String>> {
    let meta = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        meta => meta?,
    };
    if !meta.is_file() {
        return Err(io::Error::other("not a regular file, as the document is"));
    }
    if meta.len() > MOST_DOCUMENT {
        return Err(io::Error::other(format!("{} bytes, more than any document has ({MOST_DOCUMENT})", meta.len())));
    }
    region_sha256(&Region::new(File::open(path)?, 0, meta.len())).map(Some)
}

/// Which part vouches for which, from the firmware to the last file; the release manifest vouches for them all.
fn link(stage: Stage) -> &'static str {
    match stage {
        Stage::UkiSignature | Stage::Extra => "firmware → UKI",
        Stage::ReleaseManifest | Stage::ReleaseSignature => "release → image",
        Stage::Provenance => "inputs → release",
        Stage::Uki | Stage::Manifest | Stage::SignaturePartition | Stage::ManifestSignature => "UKI → manifest",
        Stage::Gpt | Stage::Disk | Stage::Superblock | Stage::RootSignature => "manifest → verity",
        _ => "verity → files",
    }
}

/// Whether root and tree are those that a release manifest names.
pub fn digests_hold(release: &ReleaseManifest, data: &dyn ReadAt, hashes: &dyn ReadAt) -> Result<(), Refusal> {
    let rows = [
        ("root_sha256", data, release.root_bytes, &release.root_sha256),
        ("verity_sha256", hashes, release.verity_bytes, &release.verity_sha256),
    ];
    for (field, partition, bytes, want) in rows {
        let refused = |reason: String| Refusal::new(Stage::ReleaseManifest, format!("its {field}: {reason}"));
        let found = region_sha256(&Region::new(partition, 0, bytes)).map_err(|error| refused(error.to_string()))?;
        if found != *want {
            return Err(refused(format!("the partition's first {bytes} bytes have SHA-256 {found}, not {want}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_beside_the_manifest_is_a_file_with_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.surface.json");
        assert_eq!(document_sha256(&path).unwrap(), None);
        let bytes = vec![b'x'; (1 << 20) + 1];
        fs::write(&path, &bytes).unwrap();
        assert_eq!(document_sha256(&path).unwrap(), Some(hash(&bytes)));
        let refused = |path: &Path| document_sha256(path).unwrap_err().to_string();
        File::options().write(true).open(&path).unwrap().set_len(MOST_DOCUMENT + 1).unwrap();
        assert!(refused(&path).starts_with("67108865 bytes, more than any document has"), "{}", refused(&path));
        for other in [folder.path(), Path::new("/dev/zero")] {
            assert!(refused(other).contains("not a regular file"), "{}", refused(other));
        }
    }
}
