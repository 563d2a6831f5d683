//! Reading and making the state partition, as a block device.

use super::STAGE;
use crate::node::identity::random;
use crate::report::{Refusal, or_refuse};
use crate::sys::block;
use orlop_chain::Guid;
use orlop_chain::device::{Device, ReadAt, apply};
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
    apply(device, &plan(template, identity))
}
