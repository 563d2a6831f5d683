//! What boots the root: boot manifest, initramfs, UKI; and the release manifest that speaks of them.

use std::collections::BTreeMap;

use anyhow::Context;
use orlop_chain::key::{PublicKey, encode_public};
use orlop_config::definition::Definition;
use orlop_config::manifest::{BootManifest, BuildIdentity, ReleaseManifest, Trust, render_boot, render_release};
use orlop_config::render;

use super::companions::Documents;
use super::inputs::Inputs;
use super::root::{PlannedRoot, RootImage};
use super::state::Template;
use super::{initramfs, uki};
use crate::formats::pe;
use crate::formats::x509::Certificate;
use crate::keys::KeySet;
use crate::sources::{Produced, hash};
use crate::tree;

/// Whose signatures an image accepts: its own keys first, then what the definition lists.
pub struct Trusted {
    /// Release keys.
    pub release_keys: Vec<PublicKey>,
    /// Certificates that the firmware's db may hold.
    pub certificates: Vec<Certificate>,
}

impl Trusted {
    /// The keys of the set, and those of the definition.
    pub fn new(keys: &KeySet, inputs: &Inputs) -> anyhow::Result<Self> {
        let mut release_keys = vec![keys.release.public.clone()];
        release_keys.extend(inputs.release_keys()?.into_iter().filter(|key| *key != keys.release.public));
        let mut certificates = vec![keys.db.certificate.clone()];
        certificates.extend(inputs.certificates()?.into_iter().filter(|other| *other != keys.db.certificate));
        Ok(Trusted { release_keys, certificates })
    }
}

/// What the boot side is made of.
pub struct Parts<'a> {
    /// Definition and lockfile.
    pub inputs: &'a Inputs,
    /// The components.
    pub produced: &'a BTreeMap<String, Produced>,
    /// The root as a tree.
    pub planned: &'a PlannedRoot,
    /// The root as an image.
    pub root: &'a RootImage,
    /// The state partition's first content.
    pub template: &'a Template,
    /// Whom the image trusts.
    pub trusted: &'a Trusted,
}

/// The boot manifest and what carries it.
pub struct Boot {
    /// Exact bytes of the boot manifest.
    pub manifest: Vec<u8>,
    /// The UKI, not signed.
    pub uki: Vec<u8>,
    /// Bytes of the init binary.
    pub init_bytes: u64,
}

impl Parts<'_> {
    fn definition(&self) -> &Definition {
        self.inputs.project.definition()
    }

    /// By the mark of the key that signs.
    fn development(&self) -> bool {
        self.trusted.release_keys.first().is_some_and(|key| key.development)
    }

    fn component(&self, name: &str) -> anyhow::Result<&Produced> {
        self.produced.get(name).with_context(|| format!("the definition has no component `{name}`"))
    }

    /// Makes the boot manifest and the UKI around it.
    pub fn boot(&self) -> anyhow::Result<Boot> {
        let definition = self.definition();
        let public_keys: Vec<_> = self.trusted.release_keys.iter().map(encode_public).collect();
        let manifest = render_boot(&BootManifest {
            version: 1,
            image: definition.name.clone(),
            image_version: definition.version.clone(),
            architecture: "x86_64".into(),
            class: definition.class.clone(),
            command_line: render::command_line(definition),
            verity: self.root.facts.verity.clone(),
            refusal: definition.refusal,
            trust: Trust {
                secure_boot: definition.trust.secure_boot,
                certificates: self.trusted.certificates.iter().map(Certificate::named).collect(),
            },
            development: self.development(),
        });
        let init = self.component("init")?.files.get("init").context("component `init` yields no `init`")?;
        let init = tree::read_produced(init)?;
        let kernel = self.component(&definition.kernel.component)?;
        let initramfs = initramfs::make(&initramfs::Contents {
            init: &init,
            boot_manifest: &manifest,
            public_keys: &public_keys.concat(),
            modules: &self.planned.modules,
            kernel,
            epoch: self.inputs.epoch()?,
        })?;
        let uki = uki::make(definition, kernel, self.component(&definition.stub)?, &initramfs)?;
        Ok(Boot { manifest, uki, init_bytes: init.len() as u64 })
    }

    /// Makes the release manifest of what was made, with the digests of the documents beside the image.
    pub fn release_manifest(&self, boot: &Boot, documents: &Documents) -> anyhow::Result<Vec<u8>> {
        let definition = self.definition();
        let facts = &self.root.facts;
        Ok(render_release(&ReleaseManifest {
            version: 1,
            image: definition.name.clone(),
            image_version: definition.version.clone(),
            architecture: "x86_64".into(),
            class: definition.class.clone(),
            development: self.development(),
            boot_manifest_sha256: hash(&boot.manifest),
            uki_authenticode_sha256: hex::encode(pe::authenticode_digest(&boot.uki)?),
            root_sha256: facts.root_sha256.clone(),
            root_bytes: facts.root_bytes,
            verity_sha256: facts.verity_sha256.clone(),
            verity_bytes: facts.verity_bytes,
            state_template_sha256: self.template.sha256.clone(),
            components: self.produced.iter().map(|(name, made)| (name.clone(), made.version.clone())).collect(),
            companions: documents.iter().map(|(name, bytes)| (name.clone(), hash(bytes))).collect(),
            build: BuildIdentity {
                orlop: env!("CARGO_PKG_VERSION").into(),
                definition_sha256: hash(&serde_json::to_vec(definition)?),
                lockfile_sha256: self.inputs.lockfile_sha256.clone(),
                epoch: self.inputs.epoch()?,
            },
        }))
    }
}
