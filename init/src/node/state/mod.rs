//! The state partition: made at first boot, repaired and grown at every one, never taken from
//! another image, and never written over when what it holds is unknown.

mod growth;
mod owner;
mod partition;
#[cfg(test)]
mod tests;

use super::Node;
use super::identity::{self, MachineId};
use super::safe_path;
use crate::early::partition_name;
use crate::report::{Refusal, or_refuse};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use orlop_chain::gpt::{Entry, Table, types};
use orlop_chain::state_template::{Content, Template};
use orlop_config::node::{OnDamage, STATE_TEMPLATE};
use partition::BlockDevice;
use std::path::{Path, PathBuf};

const STAGE: &str = "state";
/// Where it is mounted.
pub const MOUNT_POINT: &str = "/var";
/// containerd unpacks an image without a sync, then commits to its database that it is there. With
/// delayed allocation a power cut within the next 30 s left empty files in an image that counted as
/// whole, and its pods crashed for ever (tried). Without it, the database's own fsync commits every
/// file that was written before.
const OPTIONS: &str = "nodelalloc";
/// Folders that services and the record need.
const FOLDERS: [&str; 4] = ["log", "lib/orlop", "lib/kubelet", "lib/containerd"];

/// containerd's content store. CRI opens blobs at its start, whatever lies in their place.
const BLOBS: &str = "lib/containerd/io.containerd.content.v1.content/blobs/sha256";

/// kubelet would take registries' credentials from them, in its root folder.
const CREDENTIALS: [&str; 2] = ["config.json", ".dockercfg"];

/// The disk with its table, and the partition on it.
struct Place {
    disk: BlockDevice,
    table: Table,
    entry: Entry,
    node: PathBuf,
}

/// Everything from a blank partition, or last boot's, to a mounted `/var` that is this machine's. What is there is
/// judged before anything is written, the partition table included.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    let template = or_refuse(std::fs::read(STATE_TEMPLATE), STAGE, STATE_TEMPLATE)?;
    let template = or_refuse(Template::parse(&template), STAGE, STATE_TEMPLATE)?;
    let mut place = find(&node.handover.disk)?;
    let content = judge(&place, &template)?;
    let kept = match content {
        Content::Unknown => return Err(unknown(&place)),
        Content::Blank | Content::Interrupted => None,
        Content::Ext4 => keep(node, &place)?,
    };
    for note in growth::table(&mut place, content != Content::Ext4)? {
        node.report.note(STAGE, note);
    }
    if kept.is_none() {
        partition::make(&place.node, &template)?;
        let name = place.node.display();
        or_refuse(attach(&place.node, MsFlags::empty()), STAGE, format!("{name} right after it was made"))?;
    }
    or_refuse(growth::filesystem(&place), STAGE, "growing the state filesystem")?;
    own(node, kept)
}

/// The state of an earlier boot, mounted.
struct Kept {
    /// The machine's, unless a cut of the first boot came before its record.
    id: Option<MachineId>,
}

/// Mounts an ext4 that is there, if it is ours: until that is known read-only, so that nothing but a torn journal is
/// written to another's. `None` when it is damaged and the image says that it is made anew.
fn keep(node: &mut Node, place: &Place) -> Result<Option<Kept>, Refusal> {
    if let Err(error) = attach(&place.node, MsFlags::MS_RDONLY) {
        return damaged(node, place, error).map(|()| None);
    }
    let found = owner::find(Path::new(MOUNT_POINT), &node.handover);
    let writable = found.as_ref().map_or(Ok(()), |_| attach(&place.node, MsFlags::MS_REMOUNT));
    if found.is_err() || writable.is_err() {
        or_refuse(umount(MOUNT_POINT), STAGE, MOUNT_POINT)?;
    }
    let id = found.map_err(|refusal| with_remedy(refusal, place))?;
    match writable {
        Ok(()) => Ok(Some(Kept { id })),
        Err(error) => damaged(node, place, error).map(|()| None),
    }
}

fn unknown(place: &Place) -> Refusal {
    let reason = "holds something that is neither blank nor a state of Orlop; it is left as it is";
    with_remedy(Refusal::new(STAGE, format!("{} {reason}", place.node.display())), place)
}

/// The operator decides whether what is there is given up.
fn with_remedy(refusal: Refusal, place: &Place) -> Refusal {
    let node = place.node.display();
    Refusal::new(refusal.stage, format!("{}: zero the first 64 KiB of {node} to give it up", refusal.reason))
}

/// Finds the state partition on the very disk that carries the root.
fn find(disk: &str) -> Result<Place, Refusal> {
    let path = Path::new("/dev").join(disk);
    let device = or_refuse(BlockDevice::open(&path), STAGE, path.display())?;
    let table = or_refuse(orlop_chain::gpt::read(&device.file, device.sector_size), STAGE, path.display())?;
    let candidates: Vec<Entry> = table.gpt.of_type(types::VAR).cloned().collect();
    let [entry] = candidates.as_slice() else {
        let reason = format!("{} has {} state partitions, want one", path.display(), candidates.len());
        return Err(Refusal::new(STAGE, reason));
    };
    let entry = entry.clone();
    let node = Path::new("/dev").join(partition_name(disk, entry.number));
    Ok(Place { disk: device, table, entry, node })
}

fn judge(place: &Place, template: &Template<'_>) -> Result<Content, Refusal> {
    let device = or_refuse(BlockDevice::open(&place.node), STAGE, place.node.display())?;
    or_refuse(device.judge(template), STAGE, place.node.display())
}

fn attach(node: &Path, how: MsFlags) -> Result<(), Errno> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | how;
    mount(Some(node), MOUNT_POINT, Some("ext4"), flags, Some(OPTIONS))
}

/// What looks like ext4 and does not mount: the image says what that means.
fn damaged(node: &mut Node, place: &Place, error: Errno) -> Result<(), Refusal> {
    let name = place.node.display();
    if node.settings.on_damage == OnDamage::Refuse {
        let reason = format!("{name} does not mount ({error}) and state.on_damage is `refuse`; nothing was written");
        return Err(with_remedy(Refusal::new(STAGE, reason), place));
    }
    node.report.error(STAGE, format!("{name} does not mount ({error}): wiped, as state.on_damage says"));
    Ok(())
}

/// Makes the mounted filesystem this machine's.
fn own(node: &mut Node, kept: Option<Kept>) -> Result<(), Refusal> {
    let root = Path::new(MOUNT_POINT);
    for folder in FOLDERS {
        or_refuse(safe_path::make_dirs(root, folder), STAGE, format!("/var/{folder}"))?;
    }
    let folder = or_refuse(safe_path::open_dir(root), STAGE, MOUNT_POINT)?;
    let kubelet = or_refuse(safe_path::make_dirs(root, "lib/kubelet"), STAGE, "/var/lib/kubelet")?;
    or_refuse(safe_path::link(&folder, "run", "/run"), STAGE, "/var/run")?;
    clear_blobs(node, root)?;
    for file in CREDENTIALS {
        or_refuse(safe_path::remove(&kubelet, file), STAGE, format!("/var/lib/kubelet/{file}"))?;
    }
    node.report.set("first_boot", kept.is_none().into());
    let id = match kept.and_then(|kept| kept.id) {
        Some(id) => id,
        None => owner::make(root, &node.handover)?,
    };
    identity::apply(node, &id)
}

/// Takes away what hangs containerd: a pipe in place of a blob kept its CRI from answering for ever (tried).
fn clear_blobs(node: &mut Node, root: &Path) -> Result<(), Refusal> {
    let Some(blobs) = or_refuse(safe_path::find_dir(root, BLOBS), STAGE, format!("/var/{BLOBS}"))? else {
        return Ok(());
    };
    for name in or_refuse(safe_path::remove_special(blobs), STAGE, format!("/var/{BLOBS}"))? {
        node.report.note(STAGE, format!("blob sha256:{name} was no regular file; it is removed"));
    }
    Ok(())
}
