//! A service's log files in `/var/log`. The state partition may hold anything: no path is followed
//! through a symbolic link.

use super::log::Store;
use crate::node::safe_path::open_dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// `NAME.log`, `NAME.log.1`, `NAME.log.2`.
#[derive(Debug)]
pub struct LogFiles {
    folder: OwnedFd,
    name: String,
    file: File,
    size: u64,
}

impl LogFiles {
    /// Opens the log of a service, to append.
    pub fn open(folder: &Path, service: &str) -> io::Result<Self> {
        let folder = open_dir(folder)?;
        let name = format!("{service}.log");
        let (file, size) = open(&folder, &name)?;
        Ok(LogFiles { folder, name, file, size })
    }
}

fn open(folder: &OwnedFd, name: &str) -> io::Result<(File, u64)> {
    let how = OpenHow::new()
        .flags(
            OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK,
        )
        .mode(Mode::from_bits_truncate(0o640))
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH);
    let file = File::from(openat2(folder, name, how)?);
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other(format!("{name} is not a regular file")));
    }
    Ok((file, data.len()))
}

impl LogFiles {
    /// Renames, if it is there: after a rotation that a full disk cut short it is not.
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match renameat(&self.folder, from, &self.folder, to) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Store for LogFiles {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.size += count as u64;
        Ok(count)
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn rotate(&mut self) -> io::Result<()> {
        let name = |number: u32| format!("{}.{number}", self.name);
        self.rename(&name(1), &name(2))?;
        self.rename(&self.name, &name(1))?;
        (self.file, self.size) = open(&self.folder, &self.name)?;
        Ok(())
    }
}
