//! Which entries are in use, and when each was used last.
//!
//! A program writes down the names of the entries that it takes into use, in a file of its own below `locks/programs`, which it
//! keeps locked as long as it runs: what such a file names is not taken away (`prune`). A lock ends with its program,
//! however that ends, so that the file of one that was killed counts no more. An entry's last use is its time of modification,
//! set whenever a program takes it into use: times of access are not kept on many machines, and any backup changes them.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

use super::super::error::{At, Error};
use super::TRASH;

/// Folder of the lists of running programs.
const PROGRAMS: &str = "locks/programs";
/// Shared by those who take an entry into use, held alone by who takes entries away: an entry is in use before it is looked
/// for, or it is gone before it is looked for.
const GATE: &str = "locks/use";

/// What this program uses of a cache.
#[derive(Debug)]
pub(super) struct Uses {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The list of this program; it is deleted when it is dropped.
    list: Option<NamedTempFile>,
    held: BTreeSet<String>,
}

impl Uses {
    /// Nothing yet, of the cache in this folder.
    pub(super) fn new(root: &Path) -> Uses {
        Uses { root: root.to_path_buf(), state: Mutex::default() }
    }

    /// Takes an entry into use, whether it is there or not: from now on nobody takes it away before this program ends. Call it
    /// before you look for the entry.
    pub(super) fn hold(&self, entry: &str) -> Result<(), Error> {
        let mut state = self.state.lock().expect("no panic while it is held");
        if state.held.contains(entry) {
            return Ok(());
        }
        unless_read_only(&self.root, self.write_down(&mut state.list, entry))?;
        touch(&self.root.join(entry));
        state.held.insert(entry.into());
        Ok(())
    }

    fn write_down(&self, list: &mut Option<NamedTempFile>, entry: &str) -> Result<(), Error> {
        let gate = open_gate(&self.root)?;
        gate.lock_shared().at(self.root.join(GATE).display())?;
        if list.is_none() {
            *list = Some(new_list(&self.root.join(PROGRAMS))?);
        }
        match list {
            Some(list) => list.write_all(format!("{entry}\n").as_bytes()).at(list.path().display()),
            None => Ok(()),
        }
    }
}

/// What was tried in a cache, or nothing where this user can write nothing into it: there is nothing of theirs in it, which
/// somebody could take away. In a cache that can be written, a file that cannot is an error: to go on would be to use
/// entries that nobody knows to be in use.
pub(super) fn unless_read_only<T: Default>(root: &Path, tried: Result<T, Error>) -> Result<T, Error> {
    match tried {
        Err(Error::Io { what, cause }) if is_forbidden(&cause) => match access(root, AccessFlags::W_OK) {
            Err(_) => Ok(T::default()),
            Ok(()) => {
                let next =
                    "another user made it in this cache, which is yours; delete it, or give it to yourself (`chown`)";
                Err(Error::format(what, format!("{cause}; {next}")))
            }
        },
        tried => tried,
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn open_gate(root: &Path) -> Result<File, Error> {
    let (programs, gate) = (root.join(PROGRAMS), root.join(GATE));
    fs::create_dir_all(&programs).at(programs.display())?;
    // Beforehand: on a full disk, where something must be taken away, it could not be made any more.
    let _ = fs::create_dir_all(root.join(TRASH));
    File::options().create(true).truncate(false).write(true).open(&gate).at(gate.display())
}

fn new_list(folder: &Path) -> Result<NamedTempFile, Error> {
    let readable = Permissions::from_mode(0o644);
    let list = tempfile::Builder::new().prefix("program-").permissions(readable).tempfile_in(folder);
    let list = list.at(folder.display())?;
    list.as_file().lock().at(list.path().display())?;
    Ok(list)
}

/// Its last use is now. What is not there has none; where it is somebody else's, the time that they gave it stays.
fn touch(path: &Path) {
    let _ = File::open(path).and_then(|entry| entry.set_modified(SystemTime::now()));
}

/// Held alone: nobody takes an entry into use until it is dropped.
pub(super) struct Gate {
    root: PathBuf,
    _file: File,
}

impl Gate {
    /// Waits until nobody is taking an entry into use.
    pub(super) fn close(root: &Path) -> Result<Gate, Error> {
        let file = open_gate(root)?;
        file.lock().at(root.join(GATE).display())?;
        Ok(Gate { root: root.to_path_buf(), _file: file })
    }

    /// The entries that running programs use. The lists of those that ended are deleted.
    pub(super) fn held(&self) -> Result<BTreeSet<String>, Error> {
        let mut held = BTreeSet::new();
        let programs = self.root.join(PROGRAMS);
        for found in fs::read_dir(&programs).at(programs.display())? {
            let path = found.at(programs.display())?.path();
            let list = match File::open(&path) {
                // Its program ended a moment ago.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                list => list.at(path.display())?,
            };
            match list.try_lock() {
                Ok(()) => {
                    let _ = fs::remove_file(&path);
                }
                Err(TryLockError::WouldBlock) => {
                    let text = io::read_to_string(&list).at(path.display())?;
                    held.extend(text.lines().map(str::to_owned));
                }
                Err(TryLockError::Error(error)) => return Err(error).at(path.display()),
            }
        }
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cache_that_cannot_be_written_may_keep_its_uses_unwritten() {
        let folder = tempfile::tempdir().unwrap();
        let tried = |kind: ErrorKind| Err(Error::Io { what: "locks/use".into(), cause: kind.into() });
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let error = unless_read_only::<()>(folder.path(), tried(kind)).unwrap_err().to_string();
            assert!(error.starts_with("locks/use: ") && error.contains("another user made it"), "{error}");
            // Where there is no folder, nobody can write into it.
            unless_read_only::<()>(&folder.path().join("missing"), tried(kind)).unwrap();
        }
        let full = unless_read_only::<()>(&folder.path().join("missing"), tried(ErrorKind::StorageFull));
        assert!(full.unwrap_err().to_string().contains("make room"));
        assert_eq!(unless_read_only(folder.path(), Ok(7)).unwrap(), 7);
    }

    #[test]
    fn what_stands_in_the_way_of_a_use_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(GATE)).unwrap();
        let error = Uses::new(folder.path()).hold("cargo").unwrap_err().to_string();
        assert!(error.contains("locks/use: "), "{error}");
    }
}
