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
        match self.write_down(&mut state.list, entry) {
            // Where this user may write nothing, there is nothing of theirs to be taken away.
            Err(error) if is_forbidden(&error) => {}
            written => written.at(self.root.join(PROGRAMS).display())?,
        }
        touch(&self.root.join(entry));
        state.held.insert(entry.into());
        Ok(())
    }

    fn write_down(&self, list: &mut Option<NamedTempFile>, entry: &str) -> io::Result<()> {
        let gate = open_gate(&self.root)?;
        gate.lock_shared()?;
        if list.is_none() {
            *list = Some(new_list(&self.root.join(PROGRAMS))?);
        }
        match list {
            Some(list) => list.write_all(format!("{entry}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

/// Whether nothing can be written there, now or later.
pub(super) fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn open_gate(root: &Path) -> io::Result<File> {
    fs::create_dir_all(root.join(PROGRAMS))?;
    // Beforehand: on a full disk, where something must be taken away, it could not be made any more.
    let _ = fs::create_dir_all(root.join(TRASH));
    File::options().create(true).truncate(false).write(true).open(root.join(GATE))
}

fn new_list(folder: &Path) -> io::Result<NamedTempFile> {
    let readable = Permissions::from_mode(0o644);
    let list = tempfile::Builder::new().prefix("program-").permissions(readable).tempfile_in(folder)?;
    list.as_file().lock()?;
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
    pub(super) fn close(root: &Path) -> io::Result<Gate> {
        let file = open_gate(root)?;
        file.lock()?;
        Ok(Gate { root: root.to_path_buf(), _file: file })
    }

    /// The entries that running programs use. The lists of those that ended are deleted.
    pub(super) fn held(&self) -> io::Result<BTreeSet<String>> {
        let mut held = BTreeSet::new();
        for found in fs::read_dir(self.root.join(PROGRAMS))? {
            let path = found?.path();
            let list = match File::open(&path) {
                // Its program ended a moment ago.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                list => list?,
            };
            match list.try_lock() {
                Ok(()) => {
                    let _ = fs::remove_file(&path);
                }
                Err(TryLockError::WouldBlock) => {
                    let text = io::read_to_string(&list)?;
                    held.extend(text.lines().map(str::to_owned));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(held)
    }
}
