//! Writes the disk: partition table, ESP, root, verity tree and signature partition, as the layout says.
//! Everything else stays a hole in the file.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use anyhow::{Context, bail};
use orlop_chain::device::{Device, Region};
use orlop_chain::signature_partition;
use orlop_config::manifest::SignaturePartition;
use sha2::{Digest, Sha256};

use super::open::{UKI_PATH, region_sha256};
use super::plan::{Layout, Role, SECTOR};
use super::root::RootImage;
use crate::formats::{fat, gpt};

/// What is written onto the disk.
pub struct Contents<'a> {
    /// The UKI.
    pub uki: &'a [u8],
    /// Root image and verity tree.
    pub root: &'a RootImage,
    /// The signature partition's document.
    pub signature: &'a SignaturePartition,
    /// Every time on the ESP.
    pub epoch: u64,
}

/// Digests of what was written that contains signatures.
pub struct Digests {
    /// SHA-256 of the whole disk.
    pub image: String,
    /// SHA-256 of the ESP.
    pub esp: String,
    /// SHA-256 of the signature partition.
    pub signature: String,
}

/// Writes a disk into an empty file.
pub fn write(disk: &File, layout: &Layout, contents: &Contents<'_>) -> anyhow::Result<Digests> {
    disk.set_len(layout.bytes).context("the disk image cannot grow")?;
    write_esp(disk, layout, contents)?;
    copy(disk, layout, Role::RootA, &contents.root.image)?;
    copy(disk, layout, Role::RootAVerity, &contents.root.verity)?;
    let signature = signature_partition::encode(contents.signature)?;
    let partition = layout.partition(Role::RootAVeritySig);
    if signature.len() as u64 > partition.bytes {
        bail!("the signature partition's document has {} bytes, the partition {}", signature.len(), partition.bytes);
    }
    disk.write_all_at(&signature, partition.offset)?;
    // The table comes last: a file that was cut short has none.
    gpt::write(&table(layout), disk).context("the partition table")?;
    let (image, esp) = digest(disk, layout)?;
    Ok(Digests { image, esp, signature: hex::encode(Sha256::digest(&signature)) })
}

/// SHA-256 of disk and ESP, on a core each, while the bytes go to the device: the disk is mostly holes, and hashing
/// them takes longer than all that was written before.
fn digest(disk: &File, layout: &Layout) -> anyhow::Result<(String, String)> {
    let esp = layout.partition(Role::Esp);
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| disk.sync_all());
        let esp = scope.spawn(|| region_sha256(&Region::new(disk, esp.offset, esp.bytes)));
        let image = region_sha256(disk)?;
        let (flushed, esp) = (flushed.join(), esp.join());
        flushed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context("the disk image cannot be flushed")?;
        Ok((image, esp.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?))
    })
}

fn write_esp(disk: &File, layout: &Layout, contents: &Contents<'_>) -> anyhow::Result<()> {
    let partition = layout.partition(Role::Esp);
    let mut id = [0; 4];
    id.copy_from_slice(&partition.guid.0[..4]);
    let volume =
        fat::Volume { bytes: partition.bytes, id: u32::from_le_bytes(id), label: "ESP".into(), epoch: contents.epoch };
    let plan = fat::Plan::new(&volume, &[(UKI_PATH, contents.uki.len() as u64)])?;
    fat::write(&plan, disk, partition.offset, &mut |_| Ok(Box::new(contents.uki))).context("the ESP")
}

fn copy(mut disk: &File, layout: &Layout, role: Role, from: &std::path::Path) -> anyhow::Result<()> {
    let partition = layout.partition(role);
    let mut source = File::open(from).with_context(|| from.display().to_string())?;
    let bytes = source.metadata()?.len();
    if bytes > partition.bytes {
        bail!("partition {}: {bytes} bytes do not fit its {}", partition.name, partition.bytes);
    }
    disk.seek(SeekFrom::Start(partition.offset))?;
    std::io::copy(&mut source, &mut disk).with_context(|| format!("partition {}", partition.name))?;
    Ok(())
}

fn table(layout: &Layout) -> gpt::Plan {
    let partition = |partition: &super::plan::Partition| gpt::Partition {
        name: partition.name.into(),
        type_guid: partition.type_guid,
        guid: partition.guid,
        first: partition.offset / SECTOR,
        last: (partition.offset + partition.bytes) / SECTOR - 1,
        attributes: partition.attributes,
    };
    gpt::Plan {
        disk_guid: layout.disk_guid,
        total_sectors: layout.bytes / SECTOR,
        partitions: layout.partitions.iter().map(partition).collect(),
    }
}
