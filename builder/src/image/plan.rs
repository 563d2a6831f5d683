//! The disk's layout: a pure value, made and checked before a byte is written. It prints (`orlop build --plan`).
//!
//! Partition types and the UUIDs of root and verity follow the Discoverable Partitions Specification (UAPI.2);
//! every other GUID is derived from the root hash, so that the same inputs give the same bytes. The first boot
//! gives disk, ESP and state partition random ones of their machine.

use orlop_chain::gpt::ALIGNMENT;
use orlop_chain::gpt::types::{ESP, NO_AUTO, READ_ONLY, ROOT_VERITY_SIG_X86_64, ROOT_VERITY_X86_64, ROOT_X86_64, VAR};
use orlop_chain::verity::Geometry;
use orlop_chain::{Guid, RootHash};
use orlop_config::definition::Partitions;
use serde::{Serialize, Serializer};

/// Bytes of a sector of the disk image.
pub const SECTOR: u64 = 512;
/// Left free before the state partition, for an encryption header to come.
const STATE_GAP: u64 = 16 << 20;
/// The signature partition of each slot: JSON of at most 64 KiB, then NUL.
pub const SIGNATURE_BYTES: u64 = 1 << 20;
/// A slot grows in such steps, so that a few more kilobytes in the root do not move every partition.
const SLOT_STEP: u64 = 16 << 20;
/// Bytes of a block of dm-verity.
const BLOCK: u64 = 4096;

/// What the layout depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Root hash.
    pub root_hash: RootHash,
    /// Bytes of the root image.
    pub root_bytes: u64,
    /// Bytes of verity superblock and tree.
    pub verity_bytes: u64,
}

/// A disk: its GUID, its size, its partitions in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// GUID of the disk.
    #[serde(serialize_with = "as_text")]
    pub disk_guid: Guid,
    /// Bytes of the whole disk.
    pub bytes: u64,
    /// The partitions, in the order of the table and of the disk.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// What it is for.
    pub role: Role,
    /// Its name in the table.
    pub name: &'static str,
    /// Its type.
    #[serde(serialize_with = "as_text")]
    pub type_guid: Guid,
    /// Its own GUID.
    #[serde(serialize_with = "as_text")]
    pub guid: Guid,
    /// First byte on the disk.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// Attribute bits.
    pub attributes: u64,
}

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Role {
    Esp,
    RootA,
    RootAVerity,
    RootAVeritySig,
    RootB,
    RootBVerity,
    RootBVeritySig,
    State,
}

/// Why there is no layout.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// The root does not fit its partition.
    #[error(
        "partitions.root_mib = {root_mib}: the root has {root_bytes} bytes, {missing} bytes more than fit; write at least {needed_mib}, or leave it out for twice the root"
    )]
    RootTooSmall {
        /// What the definition says.
        root_mib: u64,
        /// Bytes of the root image.
        root_bytes: u64,
        /// Bytes that do not fit.
        missing: u64,
        /// MiB that would do.
        needed_mib: u64,
    },
}

impl Layout {
    /// Lays out a disk.
    pub fn new(sizes: &Partitions, contents: &Contents) -> Result<Layout, PlanError> {
        let root = root_partition_bytes(sizes, contents.root_bytes)?;
        let verity = round_up(verity_bytes(root).max(contents.verity_bytes), ALIGNMENT);
        let hash = &contents.root_hash;
        let mut at = Cursor { next: ALIGNMENT, partitions: Vec::new() };
        at.add(Role::Esp, "esp", ESP, Guid::derived("esp", hash), sizes.esp_mib << 20, 0);
        at.add(Role::RootA, "root-a", ROOT_X86_64, hash.root_guid(), root, READ_ONLY);
        at.add(Role::RootAVerity, "root-a-verity", ROOT_VERITY_X86_64, hash.verity_guid(), verity, READ_ONLY);
        at.add(
            Role::RootAVeritySig,
            "root-a-verity-sig",
            ROOT_VERITY_SIG_X86_64,
            hash.signature_guid(),
            SIGNATURE_BYTES,
            READ_ONLY,
        );
        let empty = READ_ONLY | NO_AUTO;
        at.add(Role::RootB, "root-b", ROOT_X86_64, Guid::derived("root-b", hash), root, empty);
        at.add(
            Role::RootBVerity,
            "root-b-verity",
            ROOT_VERITY_X86_64,
            Guid::derived("root-b-verity", hash),
            verity,
            empty,
        );
        let signature_b = Guid::derived("root-b-verity-sig", hash);
        at.add(Role::RootBVeritySig, "root-b-verity-sig", ROOT_VERITY_SIG_X86_64, signature_b, SIGNATURE_BYTES, empty);
        at.next += STATE_GAP;
        at.add(Role::State, "state", VAR, Guid::derived("state", hash), sizes.state_mib << 20, 0);
        // The backup table lies in the last 33 sectors.
        let bytes = at.next + ALIGNMENT;
        Ok(Layout { disk_guid: Guid::derived("disk", hash), bytes, partitions: at.partitions })
    }

    /// The partition with that role.
    pub fn partition(&self, role: Role) -> &Partition {
        // Every layout has every role: `new` is the only way to make one.
        self.partitions.iter().find(|partition| partition.role == role).unwrap_or(&self.partitions[0])
    }

    /// The layout as a table for people.
    pub fn table(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("disk {} {} bytes\n", self.disk_guid, self.bytes);
        let _ = writeln!(
            text,
            "{:<18} {:>12} {:>12}  {:<36}  {:<36}  attributes",
            "partition", "offset", "bytes", "type", "GUID"
        );
        for Partition { name, type_guid, guid, offset, bytes, attributes, .. } in &self.partitions {
            let _ = writeln!(text, "{name:<18} {offset:>12} {bytes:>12}  {type_guid}  {guid}  {attributes:016x}");
        }
        text
    }
}

struct Cursor {
    next: u64,
    partitions: Vec<Partition>,
}

impl Cursor {
    fn add(&mut self, role: Role, name: &'static str, type_guid: Guid, guid: Guid, bytes: u64, attributes: u64) {
        let offset = self.next;
        self.next += bytes;
        self.partitions.push(Partition { role, name, type_guid, guid, offset, bytes, attributes });
    }
}

fn root_partition_bytes(sizes: &Partitions, root_bytes: u64) -> Result<u64, PlanError> {
    let Some(root_mib) = sizes.root_mib else { return Ok(round_up(2 * root_bytes, SLOT_STEP)) };
    let room = root_mib << 20;
    if root_bytes <= room {
        return Ok(room);
    }
    let needed_mib = root_bytes.div_ceil(1 << 20);
    Err(PlanError::RootTooSmall { root_mib, root_bytes, missing: root_bytes - room, needed_mib })
}

fn as_text<S: Serializer>(guid: &Guid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(guid)
}

/// Bytes of superblock and tree over a full root partition.
fn verity_bytes(root_partition: u64) -> u64 {
    // A root partition is a few gigabytes at most: there is a geometry for it.
    Geometry::new(root_partition / BLOCK, 1).map_or(0, |geometry| geometry.partition_bytes())
}

fn round_up(value: u64, step: u64) -> u64 {
    value.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let root_hash = "954172dfee9aaab2d90a0ab162ee6bc5a6a77ede951fad19f0f94df0d7266a93".parse().unwrap();
        Contents { root_hash, root_bytes: 47_500_000, verity_bytes: 400_000 }
    }

    #[test]
    fn root_and_verity_uuids_are_the_halves_of_the_root_hash() {
        // The worked example of mkosi #1612.
        let layout = Layout::new(&Partitions::default(), &contents()).unwrap();
        assert_eq!(layout.partition(Role::RootA).guid, "954172df-ee9a-aab2-d90a-0ab162ee6bc5".parse().unwrap());
        assert_eq!(layout.partition(Role::RootAVerity).guid, "a6a77ede-951f-ad19-f0f9-4df0d7266a93".parse().unwrap());
    }

    #[test]
    fn partitions_are_aligned_in_order_apart_and_inside_the_disk() {
        let layout = Layout::new(&Partitions::default(), &contents()).unwrap();
        let mut end = ALIGNMENT;
        for partition in &layout.partitions {
            assert!(partition.offset >= end && partition.offset % ALIGNMENT == 0 && partition.bytes % ALIGNMENT == 0);
            end = partition.offset + partition.bytes;
        }
        assert_eq!(layout.bytes, end + ALIGNMENT);
        let state = layout.partition(Role::State);
        let before = layout.partition(Role::RootBVeritySig);
        assert_eq!(state.offset - before.offset - before.bytes, STATE_GAP);
        let slot = layout.partition(Role::RootA).bytes;
        assert!(slot >= 2 * 47_500_000 && layout.partition(Role::RootB).bytes == slot);
        let mut guids: Vec<_> = layout.partitions.iter().map(|p| p.guid).chain([layout.disk_guid]).collect();
        guids.sort();
        guids.dedup();
        assert_eq!(guids.len(), layout.partitions.len() + 1);
    }

    #[test]
    fn a_root_partition_that_is_too_small_says_how_much_is_missing() {
        let sizes = Partitions { root_mib: Some(45), ..Partitions::default() };
        let error = Layout::new(&sizes, &contents()).unwrap_err();
        assert_eq!(
            error,
            PlanError::RootTooSmall {
                root_mib: 45,
                root_bytes: 47_500_000,
                missing: 47_500_000 - (45 << 20),
                needed_mib: 46
            }
        );
    }
}
