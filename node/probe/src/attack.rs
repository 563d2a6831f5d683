//! What somebody in a privileged pod would try against the node.

use crate::sys::{dm, kernel};
use crate::trace;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::reboot::{RebootMode, reboot};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

/// The word that this program is started with to attack from the host's mounts.
pub const ON_HOST: &str = "on-host";
/// One block of the root.
const BLOCK: usize = 4096;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Attack {
    /// A module from a file.
    Module {
        /// The file.
        path: PathBuf,
    },
    /// A module from memory, signed by nobody.
    ModuleBytes {},
    /// A mount.
    Mount {
        /// What.
        source: Option<String>,
        /// Where.
        target: String,
        /// `MS_…`
        flags: u64,
    },
    /// The end of a mount.
    Unmount {
        /// Where.
        target: String,
    },
    /// Turns the bits of a block over.
    Overwrite {
        /// The device.
        path: PathBuf,
        /// From here on.
        offset: u64,
    },
    /// Another table for a mapped device, loaded and not put to use.
    Table {
        /// The device.
        name: String,
        /// Its target.
        target: String,
        /// Of it.
        parameters: String,
    },
    /// A mapped device's reads are held up and let go.
    Suspend {
        /// The device.
        name: String,
    },
    /// Another kernel.
    Kexec {},
    /// Another kernel, from a file.
    KexecFile {
        /// The file.
        path: PathBuf,
    },
    /// Opens a device for reading and writing.
    Open {
        /// The device.
        path: PathBuf,
    },
    /// Resets the machine.
    Reboot {},
    /// System calls in another process's name.
    Calls {
        /// The process.
        pid: i32,
        /// In order, until one fails.
        calls: Vec<trace::Call>,
    },
}

/// Tries it.
pub fn attack(attack: &Attack) -> io::Result<Value> {
    let done = match attack {
        Attack::Module { path } => kernel::load_module(File::open(path)?.as_fd()),
        Attack::ModuleBytes {} => kernel::load_module_bytes(b"\x7fELF"),
        Attack::Mount { source, target, flags } => {
            let flags = MsFlags::from_bits_retain(*flags as _);
            mount(source.as_deref(), target.as_str(), None::<&str>, flags, None::<&str>).map_err(Into::into)
        }
        Attack::Unmount { target } => umount2(target.as_str(), MntFlags::MNT_DETACH).map_err(Into::into),
        Attack::Overwrite { path, offset } => overwrite(path, *offset),
        Attack::Table { name, target, parameters } => {
            let (sectors, ..) = dm::table(name)?;
            dm::load(name, (sectors, target, parameters))
        }
        Attack::Suspend { name } => dm::suspend_and_resume(name),
        Attack::Kexec {} => kernel::kexec(),
        Attack::KexecFile { path } => kernel::kexec_file(File::open(path)?.as_fd()),
        Attack::Open { path } => OpenOptions::new().read(true).write(true).open(path).map(drop),
        Attack::Reboot {} => reboot(RebootMode::RB_AUTOBOOT).map(|never| match never {}).map_err(Into::into),
        Attack::Calls { pid, calls } => return Ok(json!({"results": trace::calls(*pid, calls)?})),
    };
    done.map(|()| json!({}))
}

fn overwrite(path: &PathBuf, offset: u64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut block = vec![0; BLOCK];
    file.read_exact_at(&mut block, offset)?;
    block.iter_mut().for_each(|byte| *byte = !*byte);
    file.write_all_at(&block, offset)?;
    file.sync_all()
}

/// Tries it where the host's own mounts are, in a process of its own: the answer.
pub fn on_host(attack: &Attack) -> io::Result<Value> {
    let text = serde_json::to_string(attack)?;
    let output = Command::new("/proc/self/exe").args([ON_HOST, &text]).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What that process does.
pub fn enter_host(text: &str) -> io::Result<Value> {
    setns(File::open("/proc/1/ns/mnt")?, CloneFlags::CLONE_NEWNS)?;
    attack(&serde_json::from_str(text)?)
}
