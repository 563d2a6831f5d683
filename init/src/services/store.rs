//! A service's log files in `/var/log`. The state partition may hold anything: no path is followed
//! through a symbolic link.

use super::log::Store;
use crate::node::safe_path::open_dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::libc::{S_IFMT, S_IFREG};
use nix::sys::stat::{Mode, fstatat};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// `NAME.log`, `NAME.log.1`, `NAME.log.2`.
#[derive(Debug)]
pub struct LogFiles {
    folder: OwnedFd,
    name: String,
    /// None where something is in the way: it is tried again with each line.
    file: Option<File>,
    size: u64,
}

impl LogFiles {
    /// The log of a service, to append. A folder or a link in its place, which a pod may have put there, is moved aside; if
    /// that fails too the service runs without, and its first line says why.
    pub fn open(folder: &Path, service: &str) -> io::Result<Self> {
        let mut files = LogFiles { folder: open_dir(folder)?, name: format!("{service}.log"), file: None, size: 0 };
        let _ = files.reopen();
        Ok(files)
    }

    fn reopen(&mut self) -> io::Result<&mut File> {
        let (file, size) = self.open_file(&self.name)?;
        self.size = size;
        Ok(self.file.insert(file))
    }

    fn open_file(&self, name: &str) -> io::Result<(File, u64)> {
        let kind = fstatat(&self.folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|data| data.st_mode & S_IFMT);
        if kind.is_ok_and(|kind| kind != S_IFREG) {
            self.rename(name, &format!("{name}.aside"))?;
        }
        open(&self.folder, name)
    }

    /// Renames, if it is there: after a rotation that a full disk cut short it is not.
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match renameat(&self.folder, from, &self.folder, to) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
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

impl Store for LogFiles {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.reopen()?,
        };
        let count = file.write(bytes)?;
        self.size += count as u64;
        Ok(count)
    }

    fn size(&self) -> u64 {
        self.size
    }

    /// The new file comes first: when the disk has no room for it nothing is renamed, however often it is tried.
    fn rotate(&mut self) -> io::Result<()> {
        let name = |suffix: &str| format!("{}.{suffix}", self.name);
        let (file, size) = self.open_file(&name("new"))?;
        self.rename(&name("1"), &name("2"))?;
        self.rename(&self.name, &name("1"))?;
        self.rename(&name("new"), &self.name)?;
        (self.file, self.size) = (Some(file), size);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("a path");
        (folder, path)
    }

    fn write(files: &mut LogFiles, text: &str) {
        assert_eq!(files.append(text.as_bytes()).expect("written"), text.len());
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names = crate::node::safe_path::names(path).expect("names");
        names.sort();
        names
    }

    #[test]
    fn three_files_hold_the_latest() {
        let (_folder, path) = folder();
        let mut files = LogFiles::open(&path, "x").expect("open");
        for number in 0..5 {
            write(&mut files, &format!("{number}\n"));
            files.rotate().expect("rotated");
            assert_eq!(files.size(), 0);
        }
        write(&mut files, "5\n");
        assert_eq!(names(&path), ["x.log", "x.log.1", "x.log.2"]);
        let texts = names(&path).into_iter().map(|name| fs::read_to_string(path.join(name)).expect("text"));
        assert_eq!(texts.collect::<Vec<_>>(), ["5\n", "4\n", "3\n"]);
    }

    #[test]
    fn a_restart_appends() {
        let (_folder, path) = folder();
        write(&mut LogFiles::open(&path, "x").expect("open"), "one\n");
        let mut again = LogFiles::open(&path, "x").expect("open");
        assert_eq!(again.size(), 4);
        write(&mut again, "two\n");
        assert_eq!(fs::read_to_string(path.join("x.log")).expect("text"), "one\ntwo\n");
    }

    #[test]
    fn no_link_is_followed_and_what_is_in_the_way_is_moved_aside() {
        let (_folder, path) = folder();
        fs::write(path.join("precious"), "precious").expect("written");
        std::os::unix::fs::symlink(path.join("precious"), path.join("x.log")).expect("a link");
        write(&mut LogFiles::open(&path, "x").expect("open"), "one\n");
        assert_eq!(fs::read_to_string(path.join("precious")).expect("text"), "precious");
        assert_eq!(fs::read_to_string(path.join("x.log")).expect("text"), "one\n");
        fs::create_dir_all(path.join("y.log/full")).expect("a folder");
        write(&mut LogFiles::open(&path, "y").expect("open"), "one\n");
        assert_eq!(names(&path), ["precious", "x.log", "x.log.aside", "y.log", "y.log.aside"]);
    }

    #[test]
    fn what_cannot_be_moved_costs_the_log_not_the_boot() {
        let (_folder, path) = folder();
        fs::create_dir_all(path.join("x.log/full")).expect("a folder");
        fs::create_dir_all(path.join("x.log.aside/full")).expect("a folder");
        let mut files = LogFiles::open(&path, "x").expect("open");
        assert!(files.append(b"one\n").is_err());
        fs::remove_dir_all(path.join("x.log")).expect("removed");
        write(&mut files, "two\n");
        assert_eq!(fs::read_to_string(path.join("x.log")).expect("text"), "two\n");
    }

    #[test]
    fn a_rotation_without_room_renames_nothing() {
        let (_folder, path) = folder();
        let mut files = LogFiles::open(&path, "x").expect("open");
        write(&mut files, "one\n");
        fs::write(path.join("x.log.1"), "old\n").expect("written");
        // As when the disk is full: no new file can be made.
        fs::create_dir_all(path.join("x.log.new/full")).expect("a folder");
        fs::create_dir_all(path.join("x.log.new.aside/full")).expect("a folder");
        for _ in 0..3 {
            assert!(files.rotate().is_err());
        }
        assert_eq!(fs::read_to_string(path.join("x.log.1")).expect("text"), "old\n");
        fs::remove_dir_all(path.join("x.log.new")).expect("removed");
        files.rotate().expect("rotated");
        assert_eq!(fs::read_to_string(path.join("x.log.2")).expect("text"), "old\n");
    }
}
