//! The build: every step in its order, each with its time.

use std::path::{Path, PathBuf};

use anyhow::Context;
use orlop_config::lockfile::Input;
use orlop_config::render;
use serde::{Deserialize, Serialize};

use super::boot::{Boot, Parts, Trusted};
use super::companions::{Companions, Documents};
use super::disk::{self, SIGNATURE_ROOM};
use super::inputs::Inputs;
use super::licences::Licences;
use super::output::Output;
use super::plan::{Contents, Layout};
use super::signing::{Round, Signatures};
use super::stamp::{Stamp, build_key, stamp_name, unchanged};
use super::{policy, provenance, root, state};
use crate::keys::KeySet;
use crate::sources::{self, Bench, check_kubelet, produce_all, step};
use crate::surface::{self, Facts, Surface};

/// What a build is asked for.
pub struct BuildOptions<'a> {
    /// The image definition.
    pub definition: &'a Path,
    /// The keys that sign.
    pub keys: &'a KeySet,
    /// The folder for the results.
    pub out: &'a Path,
    /// Lock again what the archive dropped.
    pub relock_gone: bool,
    /// Sign nothing; write what is to be signed.
    pub unsigned: bool,
    /// Write nothing; only say what the disk would be.
    pub plan_only: bool,
    /// Looks at the disk image before it gets its name; where that is an error, it gets none.
    pub check: &'a dyn Fn(&Path) -> anyhow::Result<()>,
    /// What others call an input: its package URL, for the provenance. Only the report knows such names.
    pub package_url: fn(&Input) -> Option<String>,
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
    /// The numbers of what it exposes.
    pub surface: Surface,
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
    if !inputs.project.definition().is_image() {
        anyhow::bail!(
            "{}: this is a list of programs, and no image; `orlop programs` builds it",
            options.definition.display()
        );
    }
    let key = build_key(&inputs, options)?;
    if let Some(built) = unchanged(&inputs, options, &key).filter(|_| !options.plan_only) {
        bench.report.note(&format!("{}: nothing changed", built.image.display()));
        (options.check)(&built.image)?;
        return Ok(built);
    }
    let inputs = inputs.fetch(bench, options.relock_gone)?;
    let key = build_key(&inputs, options)?;
    // Before minutes of compiling.
    let widest = render::widest_kubelet(inputs.project.definition());
    check_kubelet(bench, &inputs.project, &inputs.lockfile, &widest)?;
    let produced = produce_all(bench, &inputs.project, &inputs.lockfile)?;
    let tools = sources::tools(bench, &inputs.lockfile)?;
    let epoch = inputs.epoch()?;
    let template = state::template(epoch, bench.cache, &tools.ext4)?;
    let trusted = Trusted::new(options.keys, &inputs)?;
    let policy = policy::signed(options.keys)?;
    let planned = root::plan(&inputs, &produced, &template, policy)?;
    let definition = inputs.project.definition();
    let root = step(bench.report, "root image", || {
        let root = root::write(&planned.tree, &definition.erofs, epoch, bench, &tools)?;
        let text = format!("{} bytes, root hash {}", root.facts.root_bytes, root.facts.verity.root_hash);
        anyhow::Ok((root, text))
    })?;
    let contents = Contents {
        root_hash: root.facts.root_hash()?,
        root_bytes: root.facts.root_bytes,
        verity_bytes: root.facts.verity_bytes,
    };
    let layout = Layout::new(&definition.partitions, &contents)?;
    let parts = Parts {
        inputs: &inputs,
        produced: &produced,
        planned: &planned,
        root: &root,
        template: &template,
        trusted: &trusted,
    };
    let boot = parts.boot()?;
    let surface = count(&planned, &boot)?;
    let before = Stamp::read(&options.out.join(stamp_name(definition))).map(|stamp| stamp.built.surface);
    surface::check_budgets(&surface, before.as_ref(), &definition.budgets).map_err(anyhow::Error::msg)?;
    let found = sources::licences(bench, definition, &inputs.lockfile, &produced)?;
    let licences = Licences::new(&definition.name, &definition.version, &root.facts.verity.root_hash, found);
    let documents = Documents::from([
        (format!("{}.licences.json", definition.name), licences.render()),
        (format!("{}.surface.json", definition.name), surface::render(&surface)),
    ]);
    let release = parts.release_manifest(&boot, &documents)?;
    disk::plan_esp(&layout, boot.uki.len() as u64 + SIGNATURE_ROOM, epoch)?;
    let built = Built {
        image: options.out.join(format!("{}.raw", definition.name)),
        image_bytes: layout.bytes,
        root_hash: root.facts.verity.root_hash.clone(),
        uki_bytes: boot.uki.len() as u64,
        init_bytes: boot.init_bytes,
        surface,
        unchanged: false,
        layout: options.plan_only.then(|| layout.clone()),
    };
    if options.plan_only {
        return Ok(built);
    }
    let provenance = provenance::Facts::gather(&inputs, &trusted, options.package_url)?.statement(&release)?;
    let round = Round::new(boot.manifest, release, provenance)?;
    let signatures = if options.unsigned { None } else { Some(round.sign(options.keys)?) };
    step(bench.report, "disk image", || {
        let uki = &boot.uki;
        let writing =
            Writing { options, layout: &layout, root: &root, round: &round, uki, documents: &documents, epoch };
        let mut output = Output::begin(options.out)?;
        writing.write(&definition.name, signatures.as_ref(), &mut output)?;
        (options.check)(&output.written(&format!("{}.raw", definition.name))?)?;
        let stamp = Stamp { key: key.clone(), companions: output.digests().clone(), built: built.clone() };
        output.write(&stamp_name(definition), &serde_json::to_vec_pretty(&stamp)?)?;
        output.publish()?;
        anyhow::Ok(((), built.image.display().to_string()))
    })?;
    Ok(built)
}

/// What the image exposes, in numbers.
fn count(planned: &root::PlannedRoot, boot: &Boot) -> anyhow::Result<Surface> {
    let files = surface::of_tree(&planned.tree)?;
    let manifest = orlop_chain::manifest::parse_boot(&boot.manifest)?;
    surface::count(&Facts { boot: &manifest, components: &planned.components, files: &files, uki: &boot.uki })
}

/// The last step: what is written, and where.
struct Writing<'a> {
    options: &'a BuildOptions<'a>,
    layout: &'a Layout,
    root: &'a root::RootImage,
    round: &'a Round,
    uki: &'a [u8],
    documents: &'a Documents,
    epoch: u64,
}

impl Writing<'_> {
    /// Writes the disk and what lies beside it; without signatures, the request for them in their place.
    fn write(&self, name: &str, signatures: Option<&Signatures>, output: &mut Output) -> anyhow::Result<()> {
        let KeySet { release, db, .. } = self.options.keys;
        let signature = signatures.map(|made| self.round.signature_partition(made, &db.certificate)).transpose()?;
        let uki = match signatures {
            Some(made) => self.round.signed_uki(self.uki, made, &db.certificate)?,
            None => self.uki.to_vec(),
        };
        let image = output.create(&format!("{name}.raw"))?;
        let contents = disk::Contents { uki: &uki, root: self.root, signature: signature.as_ref(), epoch: self.epoch };
        let digests =
            disk::write(&image, self.layout, &contents).with_context(|| output.failed(&format!("{name}.raw")))?;
        output.write(&format!("{name}.efi"), &uki)?;
        let companions = Companions {
            round: self.round,
            release: &release.public,
            certificate: &db.certificate,
            documents: self.documents,
        };
        companions.write(signatures.map(|made| (made, &digests)), output)
    }
}
