//! The mounts of a node (docs/node.md, "Mounts"): what kubelet and containerd need, each with the flags that it can bear.

use super::Node;
use crate::report::{Refusal, or_refuse};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const QUIET: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
/// `/opt/cni/bin` holds programs, which the cluster's CNI brings.
const PROGRAMS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

/// One mount.
#[derive(Debug)]
struct Mount {
    kind: &'static str,
    target: &'static str,
    flags: MsFlags,
    options: &'static str,
    /// What this kernel or machine may lack, and what nothing waits for.
    optional: bool,
}

const fn mount_of(kind: &'static str, target: &'static str, flags: MsFlags, options: &'static str) -> Mount {
    Mount { kind, target, flags, options, optional: false }
}

const fn optional(kind: &'static str, target: &'static str, flags: MsFlags, options: &'static str) -> Mount {
    Mount { kind, target, flags, options, optional: true }
}

/// In order. `/dev`, `/proc`, `/sys` and `/run` came along from the initramfs, and the firmware's variables with `/sys`.
const MOUNTS: &[Mount] = &[
    mount_of("devpts", "/dev/pts", MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC), "mode=620,gid=5,ptmxmode=666"),
    mount_of("tmpfs", "/dev/shm", QUIET, "mode=1777"),
    mount_of("mqueue", "/dev/mqueue", QUIET, ""),
    mount_of("cgroup2", "/sys/fs/cgroup", QUIET, "nsdelegate,memory_recursiveprot"),
    mount_of("bpf", "/sys/fs/bpf", QUIET, "mode=700"),
    mount_of("securityfs", "/sys/kernel/security", QUIET, ""),
    optional("efivarfs", "/sys/firmware/efi/efivars", QUIET.union(MsFlags::MS_RDONLY), ""),
    optional("pstore", "/sys/fs/pstore", QUIET, ""),
    mount_of("tmpfs", "/tmp", QUIET, "mode=1777"),
    mount_of("tmpfs", "/etc/cni/net.d", QUIET, "mode=755,size=1m"),
    mount_of("tmpfs", "/opt/cni/bin", PROGRAMS, "mode=755"),
];

/// The CNI configuration that a standalone image carries.
const CNI: &str = "/usr/share/orlop/cni";

/// Mounts everything but the state partition, and makes the tree shared, so that mounts propagate
/// into and out of pods.
pub fn start(_: &mut Node) -> Result<(), Refusal> {
    for one in MOUNTS {
        or_refuse(attach(one), "mounts", format!("{} on {}", one.kind, one.target))?;
    }
    let shared = mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SHARED, None::<&str>);
    or_refuse(shared, "mounts", "making / shared")?;
    or_refuse(copy_cni(), "mounts", "filling /etc/cni/net.d")
}

fn attach(one: &Mount) -> io::Result<()> {
    if one.target.starts_with("/dev/") {
        make_dir(one.target)?;
    }
    let options = (!one.options.is_empty()).then_some(one.options);
    match mount(Some(one.kind), one.target, Some(one.kind), one.flags, options) {
        // Not there, or there since the initramfs, which mounts the variables with the same flags.
        Err(Errno::ENODEV | Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EBUSY) if one.optional => Ok(()),
        other => Ok(other?),
    }
}

fn make_dir(path: &str) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Mounts a tmpfs over a folder of the root, with what the folder holds.
pub fn cover(folder: &Path) -> io::Result<()> {
    let held = files_below(folder)?;
    mount(Some("tmpfs"), folder, Some("tmpfs"), QUIET, Some("mode=755,size=4m"))?;
    for (path, bytes) in held {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)?;
    }
    Ok(())
}

fn files_below(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            let bytes = fs::read(&path)?;
            files.push((path, bytes));
        }
    }
    Ok(files)
}

fn copy_cni() -> io::Result<()> {
    if !Path::new(CNI).is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(CNI)? {
        let entry = entry?;
        fs::copy(entry.path(), Path::new("/etc/cni/net.d").join(entry.file_name()))?;
    }
    Ok(())
}
