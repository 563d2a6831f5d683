//! Writes the disk: partition table, ESP, root, verity tree and signature partition, as the layout says.
//! Everything else stays a hole in the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use anyhow::{Context, bail};
use orlop_chain::device::Device;
use orlop_chain::gpt::{Entry, types};
use orlop_chain::{Guid, signature_partition};
use orlop_config::manifest::SignaturePartition;
use sha2::{Digest, Sha256};

use super::open::{Image, UKI_PATH};
use super::plan::{Layout, Partition, Role, SECTOR};
use super::root::RootImage;
use super::sparse;
use crate::formats::{fat, gpt};
use crate::tree::Checked;

/// Bytes that Authenticode adds to a UKI at most: two certificates and a signature.
pub const SIGNATURE_ROOM: u64 = 8192;

/// What is written onto the disk.
pub struct Contents<'a> {
    /// The UKI.
    pub uki: &'a [u8],
    /// Root image and verity tree.
    pub root: &'a RootImage,
    /// The signature partition's document; none in an image that is signed elsewhere.
    pub signature: Option<&'a SignaturePartition>,
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
    Place::of(layout.partition(Role::Esp)).write_esp(disk, contents.uki, contents.epoch)?;
    let RootImage { image, verity, facts } = contents.root;
    copy(disk, layout, Role::RootA, Checked::open(image, facts.root_bytes, &facts.root_sha256)?)?;
    copy(disk, layout, Role::RootAVerity, Checked::open(verity, facts.verity_bytes, &facts.verity_sha256)?)?;
    let signature = Place::of(layout.partition(Role::RootAVeritySig)).write_signature(disk, contents.signature)?;
    // The table comes last: a file that was cut short has none.
    gpt::write(&table(layout), disk).context("the partition table")?;
    let (image, esp) = digest(disk, layout.bytes, &Place::of(layout.partition(Role::Esp)))?;
    Ok(Digests { image, esp, signature })
}

/// What makes an unsigned disk a signed one.
pub struct Signed<'a> {
    /// The signed UKI.
    pub uki: &'a [u8],
    /// The signature partition's document.
    pub signature: &'a SignaturePartition,
    /// The signature partition.
    pub partition: &'a Entry,
    /// Every time on the ESP.
    pub epoch: u64,
}

/// Copies an unsigned disk into an empty file, with UKI and signature partition written anew.
pub fn sign(unsigned: &Image, disk: &File, signed: &Signed<'_>) -> anyhow::Result<Digests> {
    let gpt = &unsigned.table.gpt;
    let esp = Place::at(gpt.of_type(types::ESP).next().context("it has no EFI system partition")?);
    let bytes = gpt.total_sectors * SECTOR;
    disk.set_len(bytes).context("the disk image cannot grow")?;
    let behind = esp.offset + esp.bytes;
    sparse::copy(unsigned.file(), disk, 0..esp.offset)?;
    sparse::copy(unsigned.file(), disk, behind..bytes)?;
    esp.write_esp(disk, signed.uki, signed.epoch)?;
    let signature = Place::at(signed.partition).write_signature(disk, Some(signed.signature))?;
    let (image, esp) = digest(disk, bytes, &esp)?;
    Ok(Digests { image, esp, signature })
}

/// Where a partition lies.
struct Place {
    guid: Guid,
    offset: u64,
    bytes: u64,
}

impl Place {
    fn of(partition: &Partition) -> Self {
        Place { guid: partition.guid, offset: partition.offset, bytes: partition.bytes }
    }

    fn at(entry: &Entry) -> Self {
        Place { guid: entry.guid, offset: entry.first * SECTOR, bytes: entry.sectors() * SECTOR }
    }

    fn write_esp(&self, disk: &File, uki: &[u8], epoch: u64) -> anyhow::Result<()> {
        let plan = self.plan_esp(uki.len() as u64, epoch)?;
        fat::write(&plan, disk, self.offset, &mut |_| Ok(Box::new(uki))).context("the ESP")
    }

    /// Writes the signature partition; its SHA-256. Without a document it stays blank, which no boot takes.
    fn write_signature(&self, disk: &File, document: Option<&SignaturePartition>) -> anyhow::Result<String> {
        let bytes = match document {
            Some(document) => signature_partition::encode(document)?,
            None => vec![0; signature_partition::PARTITION_BYTES],
        };
        if bytes.len() as u64 > self.bytes {
            bail!("the signature partition's document has {} bytes, the partition {}", bytes.len(), self.bytes);
        }
        if document.is_some() {
            disk.write_all_at(&bytes, self.offset)?;
        }
        Ok(hex::encode(Sha256::digest(&bytes)))
    }

    fn plan_esp(&self, uki_bytes: u64, epoch: u64) -> anyhow::Result<fat::Plan> {
        let mut id = [0; 4];
        id.copy_from_slice(&self.guid.0[..4]);
        let volume = fat::Volume { bytes: self.bytes, id: u32::from_le_bytes(id), label: "ESP".into(), epoch };
        match fat::Plan::new(&volume, &[(UKI_PATH, uki_bytes)]) {
            Err(fat::FatError::Full { missing }) => {
                let (esp_mib, missing) = (self.bytes >> 20, missing.div_ceil(1 << 20));
                // Larger tables come with more room: one MiB is more than they take.
                let enough = esp_mib + missing + 1;
                bail!(
                    "partitions.esp_mib = {esp_mib}: the UKI has {uki_bytes} bytes, {missing} MiB more than fit; write at least {enough}"
                )
            }
            plan => Ok(plan?),
        }
    }
}

/// SHA-256 of disk and ESP, on a core each, while the bytes go to the device.
fn digest(disk: &File, bytes: u64, esp: &Place) -> anyhow::Result<(String, String)> {
    std::thread::scope(|scope| {
        let flushed = scope.spawn(|| disk.sync_all());
        let esp = scope.spawn(|| sparse::sha256(disk, esp.offset, esp.bytes));
        let image = sparse::sha256(disk, 0, bytes)?;
        let (flushed, esp) = (flushed.join(), esp.join());
        flushed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context("the disk image cannot be flushed")?;
        Ok((image, esp.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?))
    })
}

/// Lays out the ESP for a UKI of that many bytes.
pub fn plan_esp(layout: &Layout, uki_bytes: u64, epoch: u64) -> anyhow::Result<fat::Plan> {
    Place::of(layout.partition(Role::Esp)).plan_esp(uki_bytes, epoch)
}

fn copy(mut disk: &File, layout: &Layout, role: Role, source: Checked) -> anyhow::Result<()> {
    let partition = layout.partition(role);
    disk.seek(SeekFrom::Start(partition.offset))?;
    let mut source = source.take(partition.bytes);
    let copied = std::io::copy(&mut source, &mut disk).with_context(|| format!("partition {}", partition.name))?;
    // The source's own end is where it is held to what it should be.
    let mut rest = [0];
    if source.into_inner().read(&mut rest)? > 0 {
        bail!("partition {}: what goes there is larger than its {copied} bytes", partition.name);
    }
    Ok(())
}

fn table(layout: &Layout) -> gpt::Plan {
    let partition = |partition: &Partition| gpt::Partition {
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

#[cfg(test)]
mod tests {
    use super::super::plan;
    use super::*;
    use orlop_config::definition::Partitions;

    #[test]
    fn a_signature_partition_that_is_too_small_is_named_and_not_written() {
        let place = Place { guid: Guid([0; 16]), offset: 4096, bytes: 65_536 };
        let document = SignaturePartition {
            root_hash: "ab".repeat(32),
            signature: None,
            certificate_fingerprint: None,
            orlop_boot_signature: String::new(),
        };
        let disk = tempfile::tempfile().unwrap();
        let error = place.write_signature(&disk, Some(&document)).unwrap_err().to_string();
        assert!(error.contains("1048576 bytes, the partition 65536"), "{error}");
        assert_eq!(disk.metadata().unwrap().len(), 0);
    }

    #[test]
    fn an_esp_that_is_too_small_for_its_uki_says_how_much_is_missing() {
        let layout = |esp_mib| {
            let contents = plan::Contents {
                root_hash: "954172dfee9aaab2d90a0ab162ee6bc5a6a77ede951fad19f0f94df0d7266a93".parse().unwrap(),
                root_bytes: 47_500_000,
                verity_bytes: 400_000,
            };
            Layout::new(&Partitions { esp_mib, ..Partitions::default() }, &contents).unwrap()
        };
        let uki_bytes = 100 << 20;
        let error = plan_esp(&layout(64), uki_bytes, 0).unwrap_err().to_string();
        let says = ["partitions.esp_mib = 64: ", "104857600 bytes", "38 MiB more than fit", "write at least 103"];
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
        plan_esp(&layout(103), uki_bytes, 0).unwrap();
    }
}
