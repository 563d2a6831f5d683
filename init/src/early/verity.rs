//! The manifest's signature, then dm-verity with the manifest's parameters, then the root.

use super::Trust;
use super::disks::RootDisk;
use crate::report::{Refusal, or_refuse};
use crate::sys::{block, devmapper};
use nix::mount::{MsFlags, mount};
use orlop_chain::device::ReadAt;
use orlop_chain::verity::{BLOCK, Superblock};
use orlop_chain::{At, Stage, manifest, signature_partition};
use orlop_config::manifest::{BOOT_DOMAIN, Verity};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Name of the device, as a test reads it from the running machine.
const NAME: &str = "orlop-root";
/// Where the root is mounted before it becomes `/`.
pub const MOUNT_POINT: &str = "/root";
/// Bytes of a kernel sector.
const SECTOR: u64 = 512;

/// Verifies the boot manifest's signature, which lies in the signature partition.
pub fn verify_signature(root: &RootDisk, trust: &Trust) -> Result<(), Refusal> {
    let stage = Stage::SignaturePartition;
    let file = or_refuse(File::open(&root.signature), stage.name(), root.signature.display())?;
    let size = or_refuse(block::size(&file), stage.name(), root.signature.display())?;
    let length = size.min(signature_partition::PARTITION_BYTES as u64) as usize;
    let bytes = or_refuse(file.bytes_at(0, length), stage.name(), root.signature.display())?;
    let document = signature_partition::parse(&bytes).at(stage)?;
    let signature = signature_partition::boot_signature(&document, &root.root_hash).at(stage)?;
    Ok(manifest::verify(&trust.bytes, BOOT_DOMAIN, &signature, &trust.key).at(Stage::ManifestSignature)?)
}

/// Opens the verity device; its node.
pub fn open(root: &RootDisk, verity: &Verity) -> Result<PathBuf, Refusal> {
    let name = Stage::Superblock.name();
    let tree = or_refuse(File::open(&root.verity), name, root.verity.display())?;
    let head = or_refuse(tree.bytes_at(0, BLOCK), name, root.verity.display())?;
    Superblock::parse(&head).at(Stage::Superblock)?.check_against(verity).at(Stage::Superblock)?;
    let parameters = table(&root.root, &root.verity, verity);
    let target = devmapper::Target {
        sectors: verity.data_blocks * u64::from(verity.data_block_size) / SECTOR,
        kind: "verity",
        parameters: &parameters,
    };
    let minor =
        devmapper::create_read_only(NAME, &format!("CRYPT-VERITY-{}-{NAME}", verity.uuid.replace('-', "")), &target);
    let minor = or_refuse(minor, Stage::Verity.name(), format!("dm-verity over {}", root.root.display()))?;
    Ok(Path::new("/dev").join(format!("dm-{minor}")))
}

/// The target's parameters (`Documentation/admin-guide/device-mapper/verity.rst`). A block that does
/// not match its hash is the end: an error could be used to break one file and not another.
fn table(root: &Path, tree: &Path, verity: &Verity) -> String {
    format!(
        "1 {} {} {} {} {} {} {} {} {} 1 panic_on_corruption",
        root.display(),
        tree.display(),
        verity.data_block_size,
        verity.hash_block_size,
        verity.data_blocks,
        verity.hash_start_block,
        verity.algorithm,
        verity.root_hash,
        verity.salt,
    )
}

/// Mounts the root, read-only.
pub fn mount_root(device: &Path) -> Result<(), Refusal> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    let mounted = mount(Some(device), MOUNT_POINT, Some("erofs"), flags, None::<&str>);
    or_refuse(mounted, Stage::Root.name(), format!("erofs on {}", device.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_kernel_documents() {
        let verity = Verity {
            root_hash: "aa".into(),
            salt: "bb".into(),
            uuid: String::new(),
            algorithm: "sha256".into(),
            data_block_size: 4096,
            hash_block_size: 4096,
            data_blocks: 1000,
            hash_start_block: 1,
        };
        let line = table(Path::new("/dev/vda2"), Path::new("/dev/vda3"), &verity);
        assert_eq!(line, "1 /dev/vda2 /dev/vda3 4096 4096 1000 1 sha256 aa bb 1 panic_on_corruption");
    }
}
