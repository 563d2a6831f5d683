//! Reading and making the state partition, as a block device.

use super::STAGE;
use crate::node::identity::random;
use crate::report::{Refusal, or_refuse};
use crate::sys::block;
use orlop_chain::Guid;
use orlop_chain::device::{Device, ReadAt, Step, apply};
use orlop_chain::state_template::{BLANK_BYTES, Content, Identity, Template, judge, plan};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A block device that is written.
#[derive(Debug)]
pub struct BlockDevice {
    /// Open for reading and writing.
    pub file: File,
    /// Bytes of a sector.
    pub sector_size: u64,
}

impl BlockDevice {
    /// Opens a disk or a partition.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let sector_size = block::sector_size(&file)?;
        Ok(BlockDevice { file, sector_size })
    }

    /// What a state partition holds.
    pub fn judge(&self, template: &Template<'_>) -> io::Result<Content> {
        Ok(judge(&self.file.bytes_at(0, BLANK_BYTES)?, template))
    }
}

impl Device for BlockDevice {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(&self.file, bytes, offset)
    }

    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        block::zero(&self.file, offset, length)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()?;
        block::flush_buffers(&self.file)
    }
}

/// Whether an ext4 was here whose primary superblock is gone: its first backup is (with 4 KiB blocks)
/// in block 32768. Such a partition is damaged, not foreign: `on_damage` says what is to be done.
pub fn was_ext4(node: &Path) -> io::Result<bool> {
    const BACKUP: u64 = 32768 * 4096;
    const MAGIC: (usize, [u8; 2]) = (0x38, [0x53, 0xef]);
    let device = File::open(node)?;
    if device.size()? < BACKUP + 1024 {
        return Ok(false);
    }
    let backup = device.bytes_at(BACKUP, 1024)?;
    Ok(backup[MAGIC.0..MAGIC.0 + 2] == MAGIC.1)
}

/// Makes the template's filesystem with an identity of this machine.
pub fn make(node: &Path, template: &Template<'_>) -> Result<(), Refusal> {
    let device = or_refuse(BlockDevice::open(node), STAGE, node.display())?;
    let size = or_refuse(device.file.size(), STAGE, node.display())?;
    let need = template.layout.size;
    if size < need {
        let reason = format!("{} has {size} bytes, the state template needs {need}", node.display());
        return Err(Refusal::new(STAGE, reason));
    }
    or_refuse(write(&device, template), STAGE, format!("making {}", node.display()))
}

fn write(device: &BlockDevice, template: &Template<'_>) -> io::Result<()> {
    let identity = Identity { uuid: Guid::from_random(random()?), hash_seed: Guid::from_random(random()?) };
    apply(device, &steps(template, identity))
}

/// The steps that make the filesystem: what was there stops being one before anything else happens.
pub fn steps(template: &Template<'_>, identity: Identity) -> Vec<Step> {
    let mut steps = vec![Step::Zero { offset: 0, length: BLANK_BYTES as u64 }, Step::Flush];
    steps.extend(plan(template, identity));
    steps
}
