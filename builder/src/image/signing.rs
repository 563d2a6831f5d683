//! The one round of signatures (docs/architecture.md, "Signatures"): none is covered by another, so all that is to be signed is known once
//! the boot manifest, the release manifest and the provenance are, and can be derived from those documents by whoever signs.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::PublicKey;
use orlop_chain::manifest::{self, check_development};
use orlop_config::manifest::{BOOT_DOMAIN, BootManifest, RELEASE_DOMAIN, ReleaseManifest, SignaturePartition};

use super::provenance::{self, PAYLOAD_TYPE, Provenance, Statement};
use crate::formats::dsse::{self, Envelope};
use crate::formats::x509::Certificate;
use crate::formats::{authenticode, pkcs7};
use crate::keys::{DbKey, KeySet, ReleaseKey};
use crate::sources::hash;

/// All that an image has to have signed, and by which keys.
pub struct Round {
    /// Exact bytes of the boot manifest.
    pub boot_manifest: Vec<u8>,
    /// Exact bytes of the release manifest.
    pub release_manifest: Vec<u8>,
    /// Exact bytes of the provenance's statement.
    pub provenance: Vec<u8>,
    boot: BootManifest,
    release: ReleaseManifest,
    statement: Statement<Provenance>,
}

/// The signatures, raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatures {
    /// The boot manifest's: ed25519.
    pub boot_manifest: [u8; 64],
    /// The release manifest's: ed25519.
    pub release_manifest: [u8; 64],
    /// The provenance's, in its envelope: ed25519.
    pub provenance: [u8; 64],
    /// Over the root hash's hex text: RSA.
    pub root_hash: Vec<u8>,
    /// Over the UKI's Authenticode attributes: RSA.
    pub uki: Vec<u8>,
}

impl Round {
    /// What these documents have to have signed; they must speak of the same image.
    pub fn new(boot_manifest: Vec<u8>, release_manifest: Vec<u8>, provenance: Vec<u8>) -> anyhow::Result<Self> {
        let (boot, release) = (manifest::parse_boot(&boot_manifest)?, manifest::parse_release(&release_manifest)?);
        if release.boot_manifest_sha256 != hash(&boot_manifest) {
            bail!("the release manifest speaks of another boot manifest");
        }
        if let Some(difference) = difference(&release, &boot) {
            bail!("the release manifest does not fit the boot manifest: {difference}");
        }
        let statement =
            provenance::check(&provenance, &release_manifest, &release).context("the provenance of this round")?;
        // Whoever signs vouches for all that it says, also to readers that know more fields than this program: what a build
        // would not write, byte for byte, is not signed.
        let facts = provenance::Facts::of(&statement);
        let trusted = boot.trust.certificates.iter().map(|certificate| &certificate.sha256);
        if facts.statement(&release_manifest)? != provenance || !facts.certificates.iter().eq(trusted) {
            bail!(
                "the provenance of this round says more, or something else, than this `orlop` writes when it builds; sign \
                 nothing of it: build again, with this version of `orlop`"
            );
        }
        Ok(Round { boot_manifest, release_manifest, provenance, boot, release, statement })
    }

    /// The boot manifest.
    pub fn boot(&self) -> &BootManifest {
        &self.boot
    }

    /// The release manifest.
    pub fn release(&self) -> &ReleaseManifest {
        &self.release
    }

    /// What whoever signs should know of the image, line by line. What lies inside of the UKI cannot be told from here.
    pub fn summary(&self) -> Vec<String> {
        let BootManifest { image, image_version, class, command_line, trust, development, verity, .. } = &self.boot;
        let mut lines = vec![
            format!("image {image} {image_version}, class {class}, development keys: {development}"),
            format!("root hash {}", verity.root_hash),
            format!("UKI, Authenticode SHA-256 {}", self.release.uki_authenticode_sha256),
            format!("command line {command_line}"),
            format!("trust.secure_boot {:?}", trust.secure_boot),
            self.made_from(),
        ];
        let trusted = trust.certificates.iter();
        lines.extend(trusted.map(|trusted| format!("trusts the certificate `{}` {}", trusted.subject, trusted.sha256)));
        lines
    }

    /// What the provenance says, in one line.
    fn made_from(&self) -> String {
        let definition = &self.statement.predicate.build_definition;
        let parameters = &definition.external_parameters;
        format!(
            "made from {} inputs, definition {}, lockfile {}",
            definition.resolved_dependencies.len(),
            parameters.definition.sha256,
            parameters.lockfile_sha256
        )
    }

    /// Makes the signatures. Each was verified.
    pub fn sign(&self, keys: &KeySet) -> anyhow::Result<Signatures> {
        self.belongs_to(&keys.release.public, &keys.db.certificate)?;
        Ok(Signatures {
            boot_manifest: self.with_release(&keys.release, BOOT_DOMAIN, &self.boot_manifest, "boot manifest")?,
            release_manifest: self.with_release(
                &keys.release,
                RELEASE_DOMAIN,
                &self.release_manifest,
                "release manifest",
            )?,
            provenance: keys.release.sign_message(&self.provenance_message()).context("signing the provenance")?,
            root_hash: self.with_db(&keys.db, &self.root_text(), "root hash")?,
            uki: self.with_db(&keys.db, &self.uki_message(&keys.db.certificate)?, "UKI")?,
        })
    }

    /// Whether these keys are the ones that the documents were written for.
    pub fn belongs_to(&self, release: &PublicKey, certificate: &Certificate) -> anyhow::Result<()> {
        check_development(self.boot.development, release)?;
        let named = self.statement.predicate.build_definition.external_parameters.release_keys.first();
        let keyid = dsse::keyid(release);
        if named != Some(&keyid) {
            let named = named.map_or("none", String::as_str);
            bail!(
                "the provenance names the release key {named} first, and this one is {keyid}; build again for this key"
            );
        }
        let wanted = self.boot.trust.certificates.first().context("the boot manifest names no certificate")?;
        if *wanted != certificate.named() {
            let (wanted, given) = (&wanted.subject, certificate.subject());
            bail!("the image was prepared for the certificate `{wanted}`, not for this one of `{given}`");
        }
        Ok(())
    }

    /// Checks signatures that were made elsewhere.
    pub fn check(&self, signatures: &Signatures, key: &PublicKey, certificate: &Certificate) -> anyhow::Result<()> {
        self.belongs_to(key, certificate)?;
        let image =
            format!("{} {}, root hash {}", self.boot.image, self.boot.image_version, self.boot.verity.root_hash);
        let other = |what: &str| {
            format!(
                "the signature of the {what} is not one by this set's key over this image ({image}); attach what was signed for it"
            )
        };
        let release = |domain, bytes: &[u8], signature: &[u8; 64], what| {
            manifest::verify(bytes, domain, signature, key).with_context(|| other(what))
        };
        release(BOOT_DOMAIN, &self.boot_manifest, &signatures.boot_manifest, "boot manifest")?;
        release(RELEASE_DOMAIN, &self.release_manifest, &signatures.release_manifest, "release manifest")?;
        manifest::verify_message(&self.provenance_message(), &signatures.provenance, key)
            .with_context(|| other("provenance"))?;
        for (message, signature, what) in [
            (self.root_text(), &signatures.root_hash, "root hash"),
            (self.uki_message(certificate)?, &signatures.uki, "UKI"),
        ] {
            if !certificate.verifies(&message, signature) {
                bail!(other(what));
            }
        }
        Ok(())
    }

    /// The signature partition's document.
    pub fn signature_partition(
        &self,
        signatures: &Signatures,
        certificate: &Certificate,
    ) -> anyhow::Result<SignaturePartition> {
        let form = pkcs7::Form { content: pkcs7::Content::Detached, attributes: None, with_certificate: false };
        Ok(SignaturePartition {
            root_hash: self.boot.verity.root_hash.clone(),
            signature: Some(STANDARD.encode(pkcs7::write(form, certificate, &signatures.root_hash)?)),
            certificate_fingerprint: Some(certificate.sha256()),
            orlop_boot_signature: STANDARD.encode(signatures.boot_manifest),
        })
    }

    /// The UKI with its signature.
    pub fn signed_uki(
        &self,
        uki: &[u8],
        signatures: &Signatures,
        certificate: &Certificate,
    ) -> anyhow::Result<Vec<u8>> {
        authenticode::attach(uki, self.release.build.epoch, certificate, &signatures.uki)
    }

    /// The provenance in its envelope.
    pub fn envelope(&self, signatures: &Signatures, key: &PublicKey) -> Envelope {
        Envelope::new(PAYLOAD_TYPE, &self.provenance, key, &signatures.provenance)
    }

    /// What is signed of the provenance: not its digest but all of it, as the envelope's format asks.
    fn provenance_message(&self) -> Vec<u8> {
        dsse::pae(PAYLOAD_TYPE, &self.provenance)
    }

    /// What is signed for the kernel: the root hash's hex text, nothing else (Discoverable Partitions Specification).
    fn root_text(&self) -> Vec<u8> {
        self.boot.verity.root_hash.clone().into_bytes()
    }

    fn uki_message(&self, certificate: &Certificate) -> anyhow::Result<Vec<u8>> {
        let mut digest = [0; 32];
        hex::decode_to_slice(&self.release.uki_authenticode_sha256, &mut digest)?;
        authenticode::to_sign(&digest, self.release.build.epoch, certificate)
    }

    fn with_release(&self, key: &ReleaseKey, domain: &[u8], document: &[u8], what: &str) -> anyhow::Result<[u8; 64]> {
        key.sign(domain, document).with_context(|| format!("signing the {what}"))
    }

    fn with_db(&self, key: &DbKey, message: &[u8], what: &str) -> anyhow::Result<Vec<u8>> {
        key.sign(message).with_context(|| format!("signing the {what}"))
    }
}

/// Where two manifests speak of different images.
pub fn difference(release: &ReleaseManifest, boot: &BootManifest) -> Option<String> {
    let root_bytes = boot.verity.data_blocks.saturating_mul(boot.verity.data_block_size.into()).to_string();
    let rows = [
        ("image", &release.image, &boot.image),
        ("image_version", &release.image_version, &boot.image_version),
        ("architecture", &release.architecture, &boot.architecture),
        ("class", &release.class, &boot.class),
        ("development", &release.development.to_string(), &boot.development.to_string()),
        ("root_bytes", &release.root_bytes.to_string(), &root_bytes),
    ];
    let (field, found, want) = rows.into_iter().find(|(_, found, want)| found != want)?;
    Some(format!("its {field} is `{found}`, the boot manifest has `{want}`"))
}
