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
use crate::text::shown;
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

/// The inspection as text for people. Names come from whoever made the image: nothing of them moves a terminal's cursor.
pub fn text(inspection: &Inspection) -> String {
    use std::fmt::Write;
    let boot = &inspection.boot_manifest;
    let [image, version] = [&boot.image, &boot.image_version].map(|word| shown(word));
    let mut text = format!("{image} {version} ({}, class {})\n", shown(&boot.architecture), shown(&boot.class));
    if boot.development {
        text.push_str("signed with development keys\n");
    }
    if let Some(damage) = &inspection.damage {
        let _ = writeln!(text, "{}", shown(damage));
    }
    for what in &inspection.unreadable {
        let _ = writeln!(text, "cannot be read: {}", shown(what));
    }
    text.push_str(&inspection.signers.text(boot));
    text.push_str("\npartitions\n");
    for row in &inspection.partitions {
        let (name, kind) = (shown(&row.name), shown(&row.kind));
        let PartitionRow { number, offset, bytes, guid, .. } = row;
        let _ = writeln!(text, "  {number:>2} {name:<18} {kind:<16} {offset:>12} {bytes:>12}  {guid}");
    }
    text.push_str("\nUKI\n");
    for (name, bytes) in &inspection.uki {
        let _ = writeln!(text, "  {:<10} {bytes:>12}", shown(name));
    }
    let verity = &boot.verity;
    let [root_hash, salt, uuid] = [&verity.root_hash, &verity.salt, &verity.uuid].map(|word| shown(word));
    let _ = writeln!(text, "\nverity\n  root hash {root_hash}\n  salt      {salt}\n  UUID      {uuid}");
    let (blocks, bytes) = (verity.data_blocks, verity.data_block_size);
    let _ = writeln!(text, "  blocks    {blocks} of {bytes} bytes, {}", shown(&verity.algorithm));
    let _ = writeln!(text, "\ncommand line\n  {}", shown(&boot.command_line));
    if let Some(release) = &inspection.release_manifest {
        let lockfile = shown(&release.build.lockfile_sha256);
        let _ = writeln!(text, "\nrelease manifest (not verified here)\n  lockfile {lockfile}");
    }
    text.push_str("\ncomponents\n");
    for (name, record) in &inspection.components {
        let [name, version, origin] = [name, &record.version, &record.origin].map(|word| shown(word));
        let _ = writeln!(text, "  {name:<20} {version:<24} {origin}");
    }
    let _ = writeln!(text, "\nfiles ({})", inspection.files.len());
    for file in &inspection.files {
        let target = file.target.as_ref().map_or(String::new(), |target| format!(" -> {}", shown(target)));
        let _ = writeln!(text, "  {:04o} {:>10} {}{target}", file.mode, file.size, shown(&file.path));
    }
    text
}

#[cfg(test)]
mod tests {
    use orlop_config::manifest::{Certificate, Refusal, Trust, Verity};

    use super::*;
    use crate::formats::erofs::Kind;
    use crate::image::signers::{CertificateRow, ReleaseKeyRow, Signer};
    use crate::text::deceives;

    /// It names the terminal's window, and turns the direction of writing.
    const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{202e}b";

    fn boot() -> BootManifest {
        let hostile = || HOSTILE.to_owned();
        let certificate = Certificate { sha256: hostile(), key_id: hostile(), subject: hostile() };
        BootManifest {
            version: 1,
            image: hostile(),
            image_version: hostile(),
            architecture: hostile(),
            class: hostile(),
            command_line: hostile(),
            verity: Verity {
                root_hash: hostile(),
                salt: hostile(),
                uuid: hostile(),
                algorithm: hostile(),
                data_block_size: 4096,
                hash_block_size: 4096,
                data_blocks: 12_000,
                hash_start_block: 1,
            },
            refusal: Refusal::Reboot,
            trust: Trust { certificates: vec![certificate], ..Trust::default() },
            development: true,
        }
    }

    fn signers() -> Signers {
        let hostile = || HOSTILE.to_owned();
        Signers {
            certificate: Some(CertificateRow {
                subject: hostile(),
                sha256: hostile(),
                valid_from: hostile(),
                valid_to: hostile(),
                development: true,
            }),
            uki: Signer::Is(hostile()),
            root_hash: Signer::Is(hostile()),
            policy: Signer::Nobody(hostile()),
            boot_manifest: Signer::Nobody(hostile()),
            release_keys: vec![ReleaseKeyRow { key: hostile(), development: true }],
        }
    }

    /// Everything in it that is text is hostile.
    fn inspection() -> Inspection {
        let hostile = || HOSTILE.to_owned();
        let record = ComponentRecord {
            kind: None,
            name: hostile(),
            version: hostile(),
            origin: hostile(),
            sha256: String::new(),
        };
        let partition =
            PartitionRow { number: 1, name: hostile(), kind: "esp".into(), guid: "g".into(), offset: 4096, bytes: 512 };
        let file = FileEntry {
            path: hostile(),
            kind: Kind::Link,
            mode: 0o777,
            uid: 0,
            gid: 0,
            size: 7,
            capabilities: false,
            target: Some(hostile()),
        };
        Inspection {
            damage: Some(hostile()),
            unreadable: vec![hostile()],
            partitions: vec![partition],
            uki: vec![(hostile(), 7)],
            boot_manifest: boot(),
            signers: signers(),
            signature: None,
            release_manifest: None,
            components: BTreeMap::from([(hostile(), record)]),
            files: vec![file],
        }
    }

    #[test]
    fn nothing_of_an_image_moves_the_cursor() {
        let text = text(&inspection());
        let hidden: Vec<char> = text.chars().filter(|character| *character != '\n' && deceives(*character)).collect();
        assert_eq!(hidden, Vec::<char>::new(), "{text}");
        let spelt = shown(HOSTILE);
        assert_eq!(spelt, "\"a\\u{1b}]0;x\\u{7}\\u{202e}b\"");
        for says in [
            format!("{spelt} {spelt} ({spelt}, class {spelt})\n"),
            format!("\ncannot be read: {spelt}\n"),
            format!("  UKI         {spelt}\n"),
            format!("  manifest    {spelt}\n"),
            format!("  certificate {spelt}, valid {spelt} to {spelt} (development)\n"),
            format!("  release key {spelt} (development)\n"),
            format!("  certificate {spelt} `{spelt}`\n"),
            format!("\ncommand line\n  {spelt}\n"),
            format!("  0777          7 {spelt} -> {spelt}\n"),
        ] {
            assert!(text.contains(&says), "{says:?} is not in: {text}");
        }
    }

    #[test]
    fn names_as_they_ought_to_be_stand_there_as_they_are() {
        let mut inspection = inspection();
        inspection.partitions[0].name = "root-a".into();
        inspection.files[0].path = "/usr/bin/mount".into();
        let text = text(&inspection);
        assert!(text.contains("   1 root-a             esp                      4096          512  g\n"), "{text}");
        assert!(text.contains("  0777          7 /usr/bin/mount -> "), "{text}");
    }
}
