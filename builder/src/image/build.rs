//! The build: every step in its order, each with its time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::key::encode_public;
use orlop_config::definition::Definition;
use orlop_config::manifest::{
    BOOT_DOMAIN, BootManifest, BuildIdentity, RELEASE_DOMAIN, ReleaseManifest, SignaturePartition, Sums, Trust,
    render_boot, render_release, render_sums,
};
use orlop_config::render;
use serde::{Deserialize, Serialize};

use super::disk;
use super::inputs::Inputs;
use super::output::Output;
use super::plan::{Contents, Layout};
use super::root::{self, PlannedRoot, RootImage};
use super::state::{self, Template};
use super::{initramfs, uki};
use crate::formats::pe;
use crate::keys::Signer;
use crate::sources::{self, Bench, Produced, hash, hash_file, local_digest, produce_all, step};
use crate::tree::{self, Measured};

/// What a build is asked for.
pub struct BuildOptions<'a> {
    /// The image definition.
    pub definition: &'a Path,
    /// Makes the signatures.
    pub signer: &'a dyn Signer,
    /// The folder for the results.
    pub out: &'a Path,
    /// Lock again what the archive dropped.
    pub relock_gone: bool,
    /// Write nothing; only say what the disk would be.
    pub plan_only: bool,
}

/// What a build made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// The disk image.
    pub image: PathBuf,
    /// Bytes of the disk image, holes included.
    pub image_bytes: u64,
    /// Root hash.
    pub root_hash: String,
    /// Bytes of the UKI.
    pub uki_bytes: u64,
    /// Bytes of the init binary.
    pub init_bytes: u64,
    /// Files, bytes, executables of the root.
    pub root: Measured,
    /// Whether nothing had to be done.
    #[serde(default)]
    pub unchanged: bool,
    /// The disk's layout, where only that was asked for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
}

/// Builds one image. With `plan_only` the layout is computed and nothing is written into `out`.
pub fn build(options: &BuildOptions<'_>, bench: &Bench<'_>) -> anyhow::Result<Built> {
    let inputs = Inputs::load(options.definition)?;
    let key = build_key(&inputs, options)?;
    if let Some(built) = unchanged(&inputs, options, &key).filter(|_| !options.plan_only) {
        bench.report.note(&format!("{}: nothing changed", built.image.display()));
        return Ok(built);
    }
    let inputs = inputs.fetch(bench, options.relock_gone)?;
    let key = build_key(&inputs, options)?;
    let produced = produce_all(bench, &inputs.project, &inputs.lockfile)?;
    let tools = sources::tools(bench, &inputs.lockfile)?;
    let epoch = inputs.epoch()?;
    let template = state::template(epoch, bench.cache, &tools.ext4)?;
    let planned = root::plan(&inputs, &produced, &template)?;
    let definition = inputs.project.definition();
    let root = step(bench.report, "root image", || {
        let root = root::write(&planned.tree, &definition.erofs, epoch, bench, &tools)?;
        let text = format!("{} bytes, root hash {}", root.facts.root_bytes, root.facts.verity.root_hash);
        anyhow::Ok((root, text))
    })?;
    let measured = tree::measure(&planned.tree, root.facts.root_bytes)?;
    let before = Stamp::read(&options.out.join(stamp_name(definition))).map(|stamp| stamp.built.root);
    tree::check_budgets(&measured, before.as_ref(), &definition.budgets).map_err(anyhow::Error::msg)?;
    let contents = Contents {
        root_hash: root.facts.root_hash()?,
        root_bytes: root.facts.root_bytes,
        verity_bytes: root.facts.verity_bytes,
    };
    let layout = Layout::new(&definition.partitions, &contents)?;
    let parts = Parts { inputs: &inputs, produced: &produced, planned: &planned, root: &root, template: &template };
    let boot = parts.boot(options.signer)?;
    disk::plan_esp(&layout, boot.uki.len() as u64, epoch)?;
    let built = Built {
        image: options.out.join(format!("{}.raw", definition.name)),
        image_bytes: layout.bytes,
        root_hash: root.facts.verity.root_hash.clone(),
        uki_bytes: boot.uki.len() as u64,
        init_bytes: boot.init_bytes,
        root: measured,
        unchanged: false,
        layout: options.plan_only.then(|| layout.clone()),
    };
    if options.plan_only {
        return Ok(built);
    }
    step(bench.report, "disk image", || {
        let mut output = Output::begin(options.out)?;
        parts.write(&boot, &layout, options.signer, &mut output)?;
        let stamp = Stamp { key: key.clone(), companions: output.digests().clone(), built: built.clone() };
        output.write(&stamp_name(definition), &serde_json::to_vec_pretty(&stamp)?)?;
        output.publish()?;
        anyhow::Ok(((), built.image.display().to_string()))
    })?;
    Ok(built)
}

/// What the result depends on: the inputs, the epoch, the key that signs, and this very program.
fn build_key(inputs: &Inputs, options: &BuildOptions<'_>) -> anyhow::Result<String> {
    let mut parts = vec![
        hash_file(&std::env::current_exe()?)?,
        inputs.lockfile_sha256.clone(),
        hash(&serde_json::to_vec(inputs.project.definition())?),
        hash(encode_public(&options.signer.public()).as_bytes()),
        inputs.epoch()?.to_string(),
        local_digest(&inputs.project)?,
    ];
    for pod in inputs.project.definition().static_pods.keys() {
        parts.push(hash(&inputs.static_pod(pod)?));
    }
    Ok(hash(parts.join("\n").as_bytes()))
}

/// The stamp beside an image: what it was made from, and what was made.
#[derive(Serialize, Deserialize)]
struct Stamp {
    key: String,
    /// File beside the image → its SHA-256. The image itself is too large to be hashed each time.
    companions: BTreeMap<String, String>,
    built: Built,
}

impl Stamp {
    fn read(path: &Path) -> Option<Stamp> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }
}

fn stamp_name(definition: &Definition) -> String {
    format!("{}.build.json", definition.name)
}

/// The earlier result, when it was made from the same and nobody touched it.
fn unchanged(inputs: &Inputs, options: &BuildOptions<'_>, key: &str) -> Option<Built> {
    let definition = inputs.project.definition();
    let stamp_path = options.out.join(stamp_name(definition));
    let stamp = Stamp::read(&stamp_path)?;
    let image = options.out.join(format!("{}.raw", definition.name));
    let stamped = fs::metadata(&stamp_path).ok()?.modified().ok()?;
    let metadata = fs::metadata(&image).ok()?;
    let untouched = metadata.len() == stamp.built.image_bytes && metadata.modified().ok()? <= stamped;
    let as_written = |end: &&str| {
        let name = format!("{}.{end}", definition.name);
        hash_file(&options.out.join(&name)).is_ok_and(|sha256| stamp.companions.get(&name) == Some(&sha256))
    };
    let companions = ["release.json", "release.json.sig", "sums.json", "release.pub", "efi"];
    let same = stamp.key == key && untouched && companions.iter().all(as_written);
    same.then_some(Built { image, unchanged: true, ..stamp.built })
}

/// What the boot side and the disk are made of.
struct Parts<'a> {
    inputs: &'a Inputs,
    produced: &'a BTreeMap<String, Produced>,
    planned: &'a PlannedRoot,
    root: &'a RootImage,
    template: &'a Template,
}

/// The boot manifest and what carries it.
struct Boot {
    manifest: Vec<u8>,
    uki: Vec<u8>,
    init_bytes: u64,
}

impl Parts<'_> {
    fn definition(&self) -> &Definition {
        self.inputs.project.definition()
    }

    fn component(&self, name: &str) -> anyhow::Result<&Produced> {
        self.produced.get(name).with_context(|| format!("the definition has no component `{name}`"))
    }

    fn boot(&self, signer: &dyn Signer) -> anyhow::Result<Boot> {
        let definition = self.definition();
        let manifest = render_boot(&BootManifest {
            version: 1,
            image: definition.name.clone(),
            image_version: definition.version.clone(),
            architecture: "x86_64".into(),
            class: definition.class.clone(),
            command_line: render::command_line(definition),
            verity: self.root.facts.verity.clone(),
            refusal: definition.refusal,
            trust: Trust { secure_boot: definition.trust.secure_boot, certificates: Vec::new() },
            development: signer.public().development,
        });
        let init = self.component("init")?.files.get("init").context("component `init` yields no `init`")?;
        let init = tree::read_produced(init)?;
        let kernel = self.component(&definition.kernel.component)?;
        let initramfs = initramfs::make(&initramfs::Contents {
            init: &init,
            boot_manifest: &manifest,
            public_key: &encode_public(&signer.public()),
            modules: &self.planned.modules,
            kernel,
            epoch: self.inputs.epoch()?,
        })?;
        let uki = uki::make(definition, kernel, self.component(&definition.stub)?, &initramfs)?;
        Ok(Boot { manifest, uki, init_bytes: init.len() as u64 })
    }

    fn write(&self, boot: &Boot, layout: &Layout, signer: &dyn Signer, output: &mut Output) -> anyhow::Result<()> {
        let name = &self.definition().name;
        let boot_signature = signer.sign(BOOT_DOMAIN, &boot.manifest)?;
        let signature = SignaturePartition {
            root_hash: self.root.facts.verity.root_hash.clone(),
            signature: None,
            certificate_fingerprint: None,
            orlop_boot_signature: STANDARD.encode(boot_signature.to_bytes()),
        };
        let image = output.create(&format!("{name}.raw"))?;
        let epoch = self.inputs.epoch()?;
        let contents = disk::Contents { uki: &boot.uki, root: self.root, signature: &signature, epoch };
        let digests = disk::write(&image, layout, &contents).with_context(|| output.failed(&format!("{name}.raw")))?;
        let release = self.release_manifest(boot, signer.public().development)?;
        let release_signature = signer.sign(RELEASE_DOMAIN, &release)?;
        output.write(&format!("{name}.release.json"), &release)?;
        let text = format!("{}\n", STANDARD.encode(release_signature.to_bytes()));
        output.write(&format!("{name}.release.json.sig"), text.as_bytes())?;
        output.write(&format!("{name}.release.pub"), encode_public(&signer.public()).as_bytes())?;
        output.write(&format!("{name}.efi"), &boot.uki)?;
        let sums = Sums {
            version: 1,
            image_sha256: digests.image,
            esp_sha256: digests.esp,
            signature_sha256: digests.signature,
        };
        output.write(&format!("{name}.sums.json"), &render_sums(&sums))
    }

    fn release_manifest(&self, boot: &Boot, development: bool) -> anyhow::Result<Vec<u8>> {
        let definition = self.definition();
        let facts = &self.root.facts;
        Ok(render_release(&ReleaseManifest {
            version: 1,
            image: definition.name.clone(),
            image_version: definition.version.clone(),
            architecture: "x86_64".into(),
            class: definition.class.clone(),
            development,
            boot_manifest_sha256: hash(&boot.manifest),
            uki_authenticode_sha256: hex::encode(pe::authenticode_digest(&boot.uki)?),
            root_sha256: facts.root_sha256.clone(),
            root_bytes: facts.root_bytes,
            verity_sha256: facts.verity_sha256.clone(),
            verity_bytes: facts.verity_bytes,
            state_template_sha256: self.template.sha256.clone(),
            components: self.produced.iter().map(|(name, made)| (name.clone(), made.version.clone())).collect(),
            build: BuildIdentity {
                orlop: env!("CARGO_PKG_VERSION").into(),
                definition_sha256: hash(&serde_json::to_vec(definition)?),
                lockfile_sha256: self.inputs.lockfile_sha256.clone(),
                epoch: self.inputs.epoch()?,
            },
        }))
    }
}
