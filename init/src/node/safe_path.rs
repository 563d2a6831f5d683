//! Paths on the state partition, whose content is data that anybody may have written: no symbolic
//! link is ever followed there.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, symlinkat, unlinkat};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

const RESOLVE: ResolveFlag = ResolveFlag::RESOLVE_NO_SYMLINKS;

/// Opens a folder.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(RESOLVE);
    Ok(openat2(AT_FDCWD, path, how)?)
}

fn open_child(folder: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(RESOLVE);
    Ok(openat2(folder, name, how)?)
}

/// Makes a folder below another, with all that is missing in between; opens it.
pub fn make_dirs(base: &Path, below: &str) -> io::Result<OwnedFd> {
    let mut folder = open_dir(base)?;
    for name in below.split('/').filter(|name| !name.is_empty()) {
        match mkdirat(&folder, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        folder = open_child(&folder, name)?;
    }
    Ok(folder)
}

/// The same for a folder that is the host's own: what somebody put in its place is moved aside.
pub fn make_own_dirs(base: &Path, below: &str) -> io::Result<OwnedFd> {
    let (above, name) = below.rsplit_once('/').unwrap_or(("", below));
    let folder = make_dirs(base, above)?;
    let kind = fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| stat.st_mode & SFlag::S_IFMT.bits());
    if kind.is_ok_and(|kind| kind != SFlag::S_IFDIR.bits()) {
        renameat(&folder, name, &folder, format!("{name}.aside").as_str())?;
    }
    make_dirs(base, below)
}

/// Opens a folder below another; `None` where there is none.
pub fn find_dir(base: &Path, below: &str) -> io::Result<Option<OwnedFd>> {
    match open_child(&open_dir(base)?, below) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Reads a small regular file; `None` where there is none.
pub fn read(folder: &OwnedFd, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let how = OpenHow::new().flags(flags).resolve(RESOLVE);
    let file = match openat2(folder, name, how) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{name} is not a regular file")));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Writes a file so that at every power cut the old or the new one is there, whole.
pub fn write(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{name}.tmp");
    remove(folder, &temporary)?;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let how = OpenHow::new().flags(flags).mode(Mode::from_bits_truncate(0o600)).resolve(RESOLVE);
    let mut file = File::from(openat2(folder, temporary.as_str(), how)?);
    file.write_all(bytes)?;
    file.sync_all()?;
    renameat(folder, temporary.as_str(), folder, name)?;
    Ok(fsync(folder)?)
}

/// Removes a file, a link or an empty folder, if it is there.
pub fn remove(folder: &OwnedFd, name: &str) -> io::Result<()> {
    let removed = match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => unlinkat(folder, name, UnlinkatFlags::RemoveDir),
        other => other,
    };
    match removed {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Unlinks what is neither a regular file nor a folder: a pipe, a device or a link, on which a program hangs that opens
/// it for a file. Says the names.
pub fn remove_special(folder: OwnedFd) -> io::Result<Vec<String>> {
    let mut dir = Dir::from_fd(folder)?;
    let mut special = Vec::new();
    for entry in dir.iter() {
        special.push(entry?.file_name().to_owned());
    }
    // What the folder says of a name's type, somebody may have written as well.
    special.retain(|name| !fstatat(&dir, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(is_plain));
    special.sort();
    special.iter().try_for_each(|name| unlinkat(&dir, name.as_c_str(), UnlinkatFlags::NoRemoveDir))?;
    Ok(special.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

fn is_plain(stat: FileStat) -> bool {
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    kind == SFlag::S_IFREG || kind == SFlag::S_IFDIR
}

/// Makes sure that a name is a symbolic link to a target. A folder that is in its way and holds
/// something is put aside, not lost.
pub fn link(folder: &OwnedFd, name: &str, target: &str) -> io::Result<()> {
    if nix::fcntl::readlinkat(folder, name).is_ok_and(|found| found == target) {
        return Ok(());
    }
    if remove(folder, name).is_err() {
        renameat(folder, name, folder, format!("{name}.aside").as_str())?;
    }
    Ok(symlinkat(target, folder, name)?)
}

/// Names in a folder, without `.` and `..`.
pub fn names(path: &Path) -> io::Result<Vec<String>> {
    open_dir(path)?;
    std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed() {
        let base = tempfile::tempdir().expect("a folder");
        let base = base.path().canonicalize().expect("a path");
        std::os::unix::fs::symlink("/tmp", base.join("lib")).expect("a link");
        assert!(make_dirs(&base, "lib/orlop").is_err());
        let folder = make_dirs(&base, "log/a").expect("folders");
        std::os::unix::fs::symlink("/etc/passwd", base.join("log/a/x")).expect("a link");
        assert!(read(&folder, "x", 10).is_err());
        write(&folder, "x", b"new").expect("written over the link");
        assert_eq!(read(&folder, "x", 10).expect("read"), Some(b"new".to_vec()));
        assert_eq!(read(&folder, "y", 10).expect("read"), None);
    }

    #[test]
    fn only_files_and_folders_stay() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().canonicalize().expect("a path");
        std::fs::create_dir(path.join("folder")).expect("a folder");
        std::fs::write(path.join("file"), b"kept").expect("a file");
        std::os::unix::fs::symlink("file", path.join("link")).expect("a link");
        nix::unistd::mkfifo(&path.join("pipe"), Mode::S_IRWXU).expect("a pipe");
        assert_eq!(remove_special(open_dir(&path).expect("open")).expect("removed"), ["link", "pipe"]);
        assert_eq!(remove_special(open_dir(&path).expect("open")).expect("none"), [""; 0]);
        assert!(path.join("folder").is_dir());
        assert_eq!(std::fs::read(path.join("file")).expect("the file"), b"kept");
    }

    #[test]
    fn a_link_replaces_what_was_there() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().canonicalize().expect("a path");
        let folder = open_dir(&path).expect("open");
        link(&folder, "run", "/run").expect("new");
        link(&folder, "run", "/run").expect("again");
        std::fs::remove_file(path.join("run")).expect("removed");
        std::fs::create_dir_all(path.join("run/full")).expect("a full folder");
        link(&folder, "run", "/run").expect("put aside");
        assert!(path.join("run.aside/full").is_dir());
        assert_eq!(std::fs::read_link(path.join("run")).expect("a link"), Path::new("/run"));
    }
}
