//! Takes entries out of a cache: those that were not used for long, or as many as make it small enough. What a running program
//! uses stays.
//!
//! An entry is renamed into `trash/` and deleted there, so that nobody ever finds half of one. Neither needs room on the disk.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::error::{At, Error};
use super::TRASH;
use super::entries::{Entry, Kind, is_held, metadata, seconds};
use super::uses::Gate;

/// Held by the one that takes entries away.
const LOCK: &str = "locks/prune";
const LOCKS: &str = "locks";
const DAY: u64 = 86_400;

/// Which entries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Those that were not used for so many days.
    pub keep_days: Option<u32>,
    /// And then the least recently used, until the cache has so many bytes at most.
    pub max_bytes: Option<u64>,
}

/// The entries that go by these rules, at a time in seconds since 1970. What was interrupted leaves nothing of use, and goes
/// whatever the rules are. Nothing is taken away yet.
pub fn choose(entries: &[Entry], rules: &Rules, now: u64) -> Vec<Entry> {
    let is_old =
        |entry: &Entry| rules.keep_days.is_some_and(|days| entry.last_use.saturating_add(u64::from(days) * DAY) <= now);
    let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut chosen = Vec::new();
    let mut others = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Tool && !entry.in_use) {
        if entry.kind == Kind::Left || is_old(entry) {
            left = left.saturating_sub(entry.bytes);
            chosen.push(entry.clone());
        } else {
            others.push(entry);
        }
    }
    others.sort_by(|a, b| (a.last_use, &a.name).cmp(&(b.last_use, &b.name)));
    for entry in others {
        if rules.max_bytes.is_none_or(|most| left <= most) {
            break;
        }
        left = left.saturating_sub(entry.bytes);
        chosen.push(entry.clone());
    }
    chosen
}

/// Takes entries away, and gives those that went: one that was taken into use since it was chosen stays.
pub fn remove(root: &Path, chosen: &[Entry]) -> Result<Vec<Entry>, Error> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let (trash, lock) = (root.join(TRASH), root.join(LOCK));
    fs::create_dir_all(&trash).at(trash.display())?;
    fs::create_dir_all(root.join(LOCKS)).at(lock.display())?;
    let alone = File::options().create(true).truncate(false).write(true).open(&lock).at(lock.display())?;
    alone.lock().at(lock.display())?;
    // What lies there was left by one that was interrupted, or this lock would be its.
    let mut removed: Vec<Entry> = chosen.iter().filter(|entry| is_trash(entry)).cloned().collect();
    empty(&trash).at(trash.display())?;
    let taken = take(root, chosen, &trash, &mut removed);
    empty(&trash).at(trash.display())?;
    taken.map(|()| removed)
}

fn is_trash(entry: &Entry) -> bool {
    Path::new(&entry.name).starts_with(TRASH)
}

/// Renames what is not in use into the trash. Nobody can take an entry into use meanwhile, which is short.
fn take(root: &Path, chosen: &[Entry], trash: &Path, removed: &mut Vec<Entry>) -> Result<(), Error> {
    let gate = Gate::close(root).at(root.display())?;
    let held = gate.held().at(root.display())?;
    for (index, entry) in chosen.iter().enumerate().filter(|(_, entry)| !is_trash(entry)) {
        let path = root.join(&entry.name);
        let Some(meta) = metadata(&path)? else { continue };
        let used_since = entry.kind != Kind::Left && seconds(&meta) != entry.last_use;
        if used_since || is_held(&entry.name, entry.kind, &held) {
            continue;
        }
        fs::rename(&path, trash.join(index.to_string())).at(path.display())?;
        removed.push(entry.clone());
    }
    Ok(())
}

/// Deletes all that is in a folder.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            delete(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Deletes a folder with all that is in it. The go command takes the right to write from the folders of its modules.
fn delete(folder: &Path) -> io::Result<()> {
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(folder)
}

#[cfg(test)]
mod tests;
