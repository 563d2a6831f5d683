//! From the initramfs to the verified root: its mounts moved, its memory freed, the root's own init
//! executed.

use super::verity::MOUNT_POINT;
use crate::report::{Refusal, or_refuse};
use crate::sys::process::replace;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, chdir, chroot, unlinkat};
use std::convert::Infallible;
use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

const INIT: &str = "/usr/libexec/orlop/init";
/// Mounts that the root inherits.
const INHERITED: [&str; 4] = ["/dev", "/proc", "/sys", "/run"];
/// Folders within folders that are removed; the initramfs has three.
const DEPTH: usize = 16;

/// Makes the verified root `/` and runs its init; returns only to refuse.
pub fn root() -> Result<Infallible, Refusal> {
    for path in INHERITED {
        or_refuse(move_mount(path, &format!("{MOUNT_POINT}{path}")), "root", path)?;
    }
    or_refuse(free_initramfs(), "root", "freeing the initramfs")?;
    or_refuse(enter(), "root", "switching to the root")?;
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let init = or_refuse(open(INIT, flags, Mode::empty()), "root", INIT)?;
    // No arguments and no environment: both carry what was appended to the command line.
    let error = replace(init.as_fd(), &[c"orlop-init".to_owned()]);
    Err(Refusal::new("root", format!("{INIT}: {error}")))
}

fn move_mount(from: &str, to: &str) -> nix::Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
}

fn enter() -> nix::Result<()> {
    chdir(MOUNT_POINT)?;
    move_mount(".", "/")?;
    chroot(".")?;
    chdir("/")
}

/// Removes the initramfs' files, which are memory. Only what lies on its own filesystem: never a
/// mount, never through a link.
fn free_initramfs() -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = Dir::open("/", flags, Mode::empty())?;
    let device = fstat(&root)?.st_dev;
    empty(root, device, DEPTH)
}

fn empty(mut folder: Dir, device: u64, depth: usize) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in folder.iter() {
        names.push(entry?.file_name().to_owned());
    }
    for name in names.iter().filter(|name| ![c".", c".."].contains(&name.as_c_str())) {
        remove(&folder, name, device, depth)?;
    }
    Ok(())
}

fn remove(folder: &Dir, name: &CStr, device: u64, depth: usize) -> io::Result<()> {
    let data = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if data.st_dev != device || depth == 0 {
        return Ok(());
    }
    if SFlag::from_bits_truncate(data.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFDIR {
        return Ok(unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)?);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let child = Dir::from_fd(openat(folder, name, flags, Mode::empty())?)?;
    empty(child, device, depth - 1)?;
    // Mount points stay behind: empty folders, that is all.
    let _ = unlinkat(folder, name, UnlinkatFlags::RemoveDir);
    Ok(())
}
