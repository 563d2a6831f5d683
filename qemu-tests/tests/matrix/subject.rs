//! What a row alters: a copy of a built image, and the machine that boots it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use orlop_chain::gpt::{self, Gpt};
use orlop_chain::signature_partition;
use orlop_config::manifest::SignaturePartition;
use orlop_machine::firmware::Enrolled;
use orlop_machine::image::Image;
use orlop_machine::{Disk, Format, Machine};

use crate::bench::{Bench, Built, STATE, boot, copy, open};
use crate::forge;
use crate::row::On;

pub const SECTOR: u64 = 512;
pub const BLOCK: u64 = 4096;

/// An image to alter, and the machine around it.
pub struct Subject {
    /// Files of this row, its turn, and the kernel and initramfs of a direct boot.
    pub bench: Bench,
    /// The copy of the image.
    pub disk: PathBuf,
    /// Further disks.
    pub more: Vec<Disk>,
    /// The firmware's keys.
    pub keys: Enrolled,
    /// What the hypervisor appends to the command line.
    pub appended: Option<&'static str>,
}

impl Subject {
    pub fn new(image: Built) -> Result<Subject> {
        let bench = Bench::new(image)?;
        let disk = bench.copy("disk.raw")?;
        let keys = Enrolled::of_folder(forge::keys())?;
        Ok(Subject { bench, disk, more: Vec::new(), keys, appended: None })
    }

    /// The machine that boots it; what it writes is thrown away.
    pub fn machine(&self, on: On) -> Machine {
        let disk = Disk::image(&self.disk);
        let machine = match on {
            On::Direct => self.bench.machine(disk),
            On::Uefi => self.bench.firmware(disk),
            On::SecureBoot => self.bench.firmware(disk).secure_boot(self.keys.clone()),
        };
        let machine = self.more.iter().fold(machine, |machine, disk| machine.disk(disk.clone()));
        self.appended.iter().fold(machine, |machine, words| machine.appended(words))
    }

    /// Where a partition begins.
    pub fn offset(&self, partition: &str) -> Result<u64> {
        Ok(Image::open(&self.disk)?.partition(partition)?.offset)
    }

    /// So many bytes of a partition, from here.
    pub fn read(&self, partition: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        open(&self.disk)?.read_exact_at(&mut bytes, self.offset(partition)? + offset)?;
        Ok(bytes)
    }

    /// Writes into a partition.
    pub fn write(&self, partition: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        Ok(open(&self.disk)?.write_all_at(bytes, self.offset(partition)? + offset)?)
    }

    /// Flips a bit of a partition.
    pub fn flip(&self, partition: &str, offset: u64) -> Result<()> {
        let byte = self.read(partition, offset, 1)?[0];
        self.write(partition, offset, &[byte ^ 1])
    }

    /// Flips a bit of the whole disk; from its end, if negative.
    pub fn flip_at(&self, offset: i64) -> Result<()> {
        let size = fs::metadata(&self.disk)?.len();
        let at = if offset < 0 { size.checked_add_signed(offset).context("before the disk")? } else { offset as u64 };
        let (file, mut byte) = (open(&self.disk)?, [0]);
        file.read_exact_at(&mut byte, at)?;
        Ok(file.write_all_at(&[byte[0] ^ 1], at)?)
    }

    /// Copies a partition's content from another image.
    pub fn take(&self, partition: &str, from: &Path) -> Result<()> {
        let part = Image::open(from)?.partition(partition)?.clone();
        let mut bytes = vec![0; part.length as usize];
        File::open(from)?.read_exact_at(&mut bytes, part.offset)?;
        self.write(partition, 0, &bytes)
    }

    /// The text of the signature partition.
    pub fn signature_text(&self) -> Result<String> {
        let bytes = self.read(SIGNATURE, 0, signature_partition::PARTITION_BYTES)?;
        let end = bytes.iter().position(|byte| *byte == 0).context("the end of the text")?;
        Ok(String::from_utf8(bytes[..end].to_vec())?)
    }

    /// Replaces it.
    pub fn set_signature_text(&self, text: &str) -> Result<()> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(signature_partition::PARTITION_BYTES, 0);
        self.write(SIGNATURE, 0, &bytes)
    }

    /// Changes the document in the signature partition.
    pub fn signature(&self, change: impl FnOnce(&mut SignaturePartition) -> Result<()>) -> Result<()> {
        let mut document = signature_partition::parse(self.signature_text()?.as_bytes())?;
        change(&mut document)?;
        self.set_signature_text(std::str::from_utf8(&signature_partition::encode(&document)?)?.trim_end_matches('\0'))
    }

    /// Changes both copies of the partition table, which stay good.
    pub fn table(&self, change: impl FnOnce(&mut Gpt) -> Result<()>) -> Result<()> {
        let file = open(&self.disk)?;
        let mut table = gpt::read(&file, SECTOR)?.gpt;
        change(&mut table)?;
        let copies = gpt::encode(&table, SECTOR)?;
        file.write_all_at(&copies.primary, 0)?;
        Ok(file.write_all_at(&copies.backup, copies.backup_offset)?)
    }

    /// Boots the disk once, and keeps what that writes: the state is there afterwards.
    pub fn first_boot(&self) -> Result<()> {
        let machine = boot(&self.bench.machine(Disk::kept(&self.disk, Format::Raw)))?;
        machine.phase("state", STATE)?;
        machine.quit()
    }

    /// Attaches a copy of the disk as it is now.
    pub fn attach_copy(&mut self, name: &str) -> Result<PathBuf> {
        let file = self.bench.file(name);
        copy(&self.disk, &file)?;
        self.more.push(Disk::image(&file));
        Ok(file)
    }
}

pub const ROOT: &str = "root-a";
pub const TREE: &str = "root-a-verity";
pub const SIGNATURE: &str = "root-a-verity-sig";

/// Replaces a text that must be there.
pub fn replace(text: &str, from: &str, to: &str) -> Result<String> {
    ensure!(text.contains(from), "no `{from}` in {text}");
    Ok(text.replacen(from, to, 1))
}
