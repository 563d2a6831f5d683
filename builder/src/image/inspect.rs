//! `orlop inspect`: what an image holds, though nobody has booted it and without privilege.

use std::collections::BTreeMap;
use std::path::Path;

use orlop_chain::device::ReadAt;
use orlop_chain::gpt::types;
use orlop_chain::{Refusal, RootHash, Stage, manifest, signature_partition};
use orlop_config::manifest::{BootManifest, ReleaseManifest, SignaturePartition};
use orlop_config::node::IPE_POLICY;
use serde::Serialize;

use super::open::Image;
use super::opened::{Opened, components, root};
use super::plan::SECTOR;
use super::signers::{self, Signers};
use crate::formats::erofs::{self, FileEntry};
use crate::formats::pe;
use crate::tree::ComponentRecord;

/// What an image holds.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// Damage of one copy of the partition table.
    pub damage: Option<String>,
    /// What belongs to an image and cannot be read, with the reason.
    pub unreadable: Vec<String>,
    /// The partitions.
    pub partitions: Vec<PartitionRow>,
    /// Section name → bytes, in the UKI's order.
    pub uki: Vec<(String, u32)>,
    /// The boot manifest, as the initramfs carries it.
    pub boot_manifest: BootManifest,
    /// Who signed it, and whom it trusts.
    pub signers: Signers,
    /// The signature partition's document, where it can be read.
    pub signature: Option<SignaturePartition>,
    /// The release manifest beside the image, where there is one (not verified: `orlop verify` does).
    pub release_manifest: Option<ReleaseManifest>,
    /// The root's components, as the root itself says (`/usr/share/orlop/components.json`).
    pub components: BTreeMap<String, ComponentRecord>,
    /// The root's files.
    pub files: Vec<FileEntry>,
}

/// A partition.
#[derive(Debug, Serialize)]
pub struct PartitionRow {
    /// Number in the table.
    pub number: u32,
    /// Name in the table.
    pub name: String,
    /// Type, by name where it is one of ours.
    pub kind: String,
    /// Its own GUID.
    pub guid: String,
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Reads an image.
pub fn inspect(path: &Path) -> anyhow::Result<Inspection> {
    let Opened { image, uki, boot: boot_manifest, root_hash } = Opened::open(path)?;
    let mut content = root(&image, &root_hash)?;
    let files = erofs::list(&mut content).map_err(|error| Refusal::new(Stage::Root, error))?;
    let document = components(&mut content)?;
    let mut unreadable = Vec::new();
    let mut note = |error: String| unreadable.push(error);
    let signature = signature(&image, &root_hash).map_err(|error| note(format!("signature partition: {error}"))).ok();
    let policy = erofs::read(&mut content, IPE_POLICY).map_err(|error| note(format!("{IPE_POLICY}: {error}")));
    let signers = signers::signers(&uki, &boot_manifest, signature.as_ref(), &policy.unwrap_or_default());
    let beside = path.with_extension("release.json");
    let release = release(&beside).map_err(|error| note(format!("{}: {error}", beside.display()))).ok();
    Ok(Inspection {
        unreadable,
        damage: image.table.damage(),
        partitions: partitions(&image),
        uki: sections(&uki.bytes)?,
        signers,
        signature,
        release_manifest: release.flatten(),
        components: document.components,
        files,
        boot_manifest,
    })
}

fn sections(uki: &[u8]) -> anyhow::Result<Vec<(String, u32)>> {
    let sections = pe::Image::parse(uki)?.sections;
    Ok(sections.into_iter().map(|section| (section.name, section.raw_size.min(section.virtual_size))).collect())
}

fn partitions(image: &Image) -> Vec<PartitionRow> {
    let row = |entry: &orlop_chain::gpt::Entry| PartitionRow {
        number: entry.number,
        name: entry.name.clone(),
        kind: types::name(entry.type_guid).map_or_else(|| entry.type_guid.to_string(), str::to_owned),
        guid: entry.guid.to_string(),
        offset: entry.first * SECTOR,
        bytes: entry.sectors() * SECTOR,
    };
    image.table.gpt.entries.iter().map(row).collect()
}

fn signature(image: &Image, root: &RootHash) -> Result<SignaturePartition, String> {
    let guid = root.signature_guid();
    let entry = image.table.gpt.of_type(types::ROOT_VERITY_SIG_X86_64).find(|entry| entry.guid == guid);
    let region = image.region(entry.ok_or_else(|| format!("none with UUID {guid}"))?);
    let bytes = region.bytes_at(0, signature_partition::PARTITION_BYTES).map_err(|error| error.to_string())?;
    signature_partition::parse(&bytes).map_err(|error| error.to_string())
}

/// The release manifest, which may be missing.
fn release(path: &Path) -> Result<Option<ReleaseManifest>, String> {
    match std::fs::read(path) {
        Ok(bytes) => manifest::parse_release(&bytes).map(Some).map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The inspection as text for people.
pub fn text(inspection: &Inspection) -> String {
    use std::fmt::Write;
    let boot = &inspection.boot_manifest;
    let mut text = format!("{} {} ({}, class {})\n", boot.image, boot.image_version, boot.architecture, boot.class);
    if boot.development {
        text.push_str("signed with development keys\n");
    }
    if let Some(damage) = &inspection.damage {
        let _ = writeln!(text, "{damage}");
    }
    for what in &inspection.unreadable {
        let _ = writeln!(text, "cannot be read: {what}");
    }
    text.push_str(&inspection.signers.text(boot));
    text.push_str("\npartitions\n");
    for row in &inspection.partitions {
        let _ = writeln!(
            text,
            "  {:>2} {:<18} {:<16} {:>12} {:>12}  {}",
            row.number, row.name, row.kind, row.offset, row.bytes, row.guid
        );
    }
    text.push_str("\nUKI\n");
    for (name, bytes) in &inspection.uki {
        let _ = writeln!(text, "  {name:<10} {bytes:>12}");
    }
    let verity = &boot.verity;
    let _ = writeln!(
        text,
        "\nverity\n  root hash {}\n  salt      {}\n  UUID      {}",
        verity.root_hash, verity.salt, verity.uuid
    );
    let _ =
        writeln!(text, "  blocks    {} of {} bytes, {}", verity.data_blocks, verity.data_block_size, verity.algorithm);
    let _ = writeln!(text, "\ncommand line\n  {}", boot.command_line);
    if let Some(release) = &inspection.release_manifest {
        let _ = writeln!(text, "\nrelease manifest (not verified here)\n  lockfile {}", release.build.lockfile_sha256);
    }
    text.push_str("\ncomponents\n");
    for (name, record) in &inspection.components {
        let _ = writeln!(text, "  {name:<20} {:<24} {}", record.version, record.origin);
    }
    let _ = writeln!(text, "\nfiles ({})", inspection.files.len());
    for file in &inspection.files {
        let target = file.target.as_ref().map_or(String::new(), |target| format!(" -> {target}"));
        let _ = writeln!(text, "  {:04o} {:>10} {}{target}", file.mode, file.size, file.path);
    }
    text
}
