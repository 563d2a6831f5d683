//! A plan onto a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{OperatingSystem, Type};
use orlop_chain::gpt::{Gpt, GptError, read};
use uuid::Uuid;

use super::plan::SECTOR;
use super::{Partition, Plan, PlanError};

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The plan is wrong; nothing was written.
    #[error("partition plan")]
    Plan(#[from] PlanError),
    /// The file has another size than the plan.
    #[error("partition table: the file has {found} bytes, the plan {want}")]
    Size {
        /// Bytes of the file.
        found: u64,
        /// Bytes of the plan.
        want: u64,
    },
    /// Reading or writing failed.
    #[error("partition table")]
    Io(#[from] io::Error),
    /// The crate failed.
    #[error("partition table: {0}")]
    Crate(String),
    /// What was written cannot be read.
    #[error("partition table, read back")]
    ReadBack(#[from] GptError),
    /// What was written is not what was planned.
    #[error("partition table, read back: not what was planned; damage: {damage:?}")]
    Differs {
        /// What is wrong with a copy.
        damage: Option<String>,
    },
}

/// Writes protective MBR and both copies of the planned table to `file`, which must have the disk's size and be readable.
pub fn write(plan: &Plan, file: &File) -> Result<(), WriteError> {
    let want = plan.check()?;
    let (found, bytes) = (file.metadata()?.len(), plan.total_sectors * SECTOR);
    if found != bytes {
        return Err(WriteError::Size { found, want: bytes });
    }
    write_with_crate(plan, file)?;
    read_back(&want, file)
}

fn write_with_crate(plan: &Plan, mut file: &File) -> Result<(), WriteError> {
    let failed = |error: &dyn std::fmt::Display| WriteError::Crate(error.to_string());
    let size = u32::try_from(plan.total_sectors - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(size).overwrite_lba0(&mut file).map_err(|error| failed(&error))?;
    let config = gpt::GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let guid = Uuid::from_bytes(plan.disk_guid.0);
    let mut disk = config.create_from_device(file, Some(guid)).map_err(|error| failed(&error))?;
    let partitions: BTreeMap<u32, _> = (1..).zip(plan.partitions.iter().map(of_crate)).collect();
    disk.update_partitions(partitions).map_err(|error| failed(&error))?;
    disk.write().map_err(|error| failed(&error))?;
    Ok(())
}

fn of_crate(partition: &Partition) -> gpt::partition::Partition {
    gpt::partition::Partition {
        part_type_guid: Type { guid: Uuid::from_bytes(partition.type_guid.0), os: OperatingSystem::None },
        part_guid: Uuid::from_bytes(partition.guid.0),
        first_lba: partition.first,
        last_lba: partition.last,
        flags: partition.attributes,
        name: partition.name.clone(),
    }
}

fn read_back(want: &Gpt, file: &File) -> Result<(), WriteError> {
    let table = read(file, SECTOR)?;
    let damage = table.damage();
    if damage.is_none() && table.gpt == *want { Ok(()) } else { Err(WriteError::Differs { damage }) }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::sample;
    use super::*;
    use orlop_chain::device::ReadAt;

    fn written() -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(sample().total_sectors * SECTOR).unwrap();
        write(&sample(), &file).unwrap();
        file
    }

    /// Two writers that share no code: the crate here, and the one that init uses to grow a disk.
    #[test]
    fn the_chains_own_writer_makes_the_same_bytes() {
        let file = written();
        let copies = orlop_chain::gpt::encode(&sample().check().unwrap(), SECTOR).unwrap();
        assert_eq!(file.bytes_at(0, copies.primary.len()).unwrap(), copies.primary);
        assert_eq!(file.bytes_at(copies.backup_offset, copies.backup.len()).unwrap(), copies.backup);
    }

    #[test]
    fn a_file_of_another_size_is_not_touched() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        assert!(matches!(write(&sample(), &file), Err(WriteError::Size { found: 4096, .. })));
        assert_eq!(file.bytes_at(0, 4096).unwrap(), vec![0; 4096]);
    }
}
