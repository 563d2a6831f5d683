//! The manifest's signature, then dm-verity with the manifest's parameters, then the root.

use super::Trust;
use super::disks::RootDisk;
use crate::report::{Refusal, or_refuse};
use crate::sys::keyring::UserKey;
use crate::sys::{block, devmapper};
use nix::libc;
use nix::mount::{MsFlags, mount};
use orlop_chain::device::ReadAt;
use orlop_chain::verity::{BLOCK, Superblock};
use orlop_chain::{At, Stage, manifest, signature_partition};
use orlop_config::manifest::{BOOT_DOMAIN, SignaturePartition, Verity};
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the device, as a test reads it from the running machine.
const NAME: &str = "orlop-root";
/// What the kernel finds the root hash's signature by.
const SIGNATURE: &CStr = c"orlop:root-hash";
/// The same in the table: two arguments more.
const SIGNED: &str = "3 panic_on_corruption root_hash_sig_key_desc orlop:root-hash";
const UNSIGNED: &str = "1 panic_on_corruption";
/// Where the root is mounted before it becomes `/`.
pub const MOUNT_POINT: &str = "/root";
/// Bytes of a kernel sector.
const SECTOR: u64 = 512;

/// Verifies the boot manifest's signature, which lies in the signature partition; what else lies there.
pub fn verify_signature(root: &RootDisk, trust: &Trust) -> Result<SignaturePartition, Refusal> {
    let stage = Stage::SignaturePartition;
    let file = or_refuse(File::open(&root.signature), stage.name(), root.signature.display())?;
    let size = or_refuse(block::size(&file), stage.name(), root.signature.display())?;
    let length = size.min(signature_partition::PARTITION_BYTES as u64) as usize;
    let bytes = or_refuse(file.bytes_at(0, length), stage.name(), root.signature.display())?;
    let document = signature_partition::parse(&bytes).at(stage)?;
    let signature = signature_partition::boot_signature(&document, &root.root_hash).at(stage)?;
    let stage = Stage::ManifestSignature;
    let key = manifest::verify_by_any(&trust.bytes, BOOT_DOMAIN, &signature, &trust.keys).at(stage)?;
    manifest::check_development(trust.manifest.development, key).at(stage)?;
    Ok(document)
}

/// Opens the verity device, with the root hash's signature where the kernel checks it; its node.
pub fn open(root: &RootDisk, verity: &Verity, signed: Option<&SignaturePartition>) -> Result<PathBuf, Refusal> {
    let name = Stage::Superblock.name();
    let tree = or_refuse(File::open(&root.verity), name, root.verity.display())?;
    let head = or_refuse(tree.bytes_at(0, BLOCK), name, root.verity.display())?;
    Superblock::parse(&head).at(Stage::Superblock)?.check_against(verity).at(Stage::Superblock)?;
    let key = signed.map(give_signature).transpose()?;
    let options = if key.is_some() { SIGNED } else { UNSIGNED };
    let parameters = format!("{} {options}", table(&root.root, &root.verity, verity));
    let target = devmapper::Target {
        sectors: verity.data_blocks * u64::from(verity.data_block_size) / SECTOR,
        kind: "verity",
        parameters: &parameters,
    };
    let minor =
        devmapper::create_read_only(NAME, &format!("CRYPT-VERITY-{}-{NAME}", verity.uuid.replace('-', "")), &target);
    drop(key);
    let stage = minor.as_ref().err().map_or(Stage::Verity, stage_of);
    let minor = or_refuse(minor, stage.name(), format!("dm-verity over {}", root.root.display()))?;
    Ok(Path::new("/dev").join(format!("dm-{minor}")))
}

/// Puts the signature where dm-verity looks for it, as long as the key lives.
fn give_signature(document: &SignaturePartition) -> Result<UserKey, Refusal> {
    let signature = signature_partition::root_signature(document).at(Stage::RootSignature)?;
    or_refuse(UserKey::add(SIGNATURE, &signature), Stage::RootSignature.name(), "the root hash's signature")
}

/// Whether it is the signature that the kernel does not take, or anything else.
fn stage_of(error: &io::Error) -> Stage {
    match error.raw_os_error() {
        Some(
            libc::ENOKEY
            | libc::EKEYREJECTED
            | libc::EKEYEXPIRED
            | libc::EKEYREVOKED
            | libc::EBADMSG
            | libc::ELIBBAD
            | libc::ENOPKG
            | libc::ENODATA,
        ) => Stage::RootSignature,
        _ => Stage::Verity,
    }
}

/// The target's parameters up to the options (`Documentation/admin-guide/device-mapper/verity.rst`). A block that does
/// not match its hash is the end: an error could be used to break one file and not another.
fn table(root: &Path, tree: &Path, verity: &Verity) -> String {
    format!(
        "1 {} {} {} {} {} {} {} {} {}",
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
        assert_eq!(line, "1 /dev/vda2 /dev/vda3 4096 4096 1000 1 sha256 aa bb");
    }

    #[test]
    fn options_are_counted() {
        for options in [SIGNED, UNSIGNED] {
            let mut words = options.split(' ');
            let count: usize = words.next().and_then(|count| count.parse().ok()).expect("a number");
            assert_eq!(words.count(), count, "{options}");
        }
        assert_eq!(SIGNED.split(' ').next_back(), SIGNATURE.to_str().ok());
    }

    #[test]
    fn what_the_kernel_says_of_a_signature_has_its_own_stage() {
        let stage = |code| stage_of(&io::Error::from_raw_os_error(code));
        for code in [libc::ENOKEY, libc::EKEYREJECTED, libc::EBADMSG, libc::ELIBBAD] {
            assert_eq!(stage(code), Stage::RootSignature);
        }
        assert_eq!(stage(libc::EIO), Stage::Verity);
        assert_eq!(stage_of(&io::Error::other("no number")), Stage::Verity);
    }
}
