//! Takes entries out of a cache: those that were not used for long, or as many as make it small enough. What a running program
//! uses stays.
//!
//! An entry is renamed into `trash/` and deleted there, so that nobody ever finds half of one. Neither needs room on the disk.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// Takes entries away, and gives those that went: one that was taken into use since it was chosen stays. Whatever cannot be
/// taken away, the rest is; the error is the first such thing.
pub fn remove(root: &Path, chosen: &[Entry]) -> Result<Vec<Entry>, Error> {
    if chosen.is_empty() {
        return Ok(Vec::new());
    }
    let (trash, lock) = (trash_of(root)?, root.join(LOCK));
    fs::create_dir_all(root.join(LOCKS)).at(lock.display())?;
    let alone = File::options().create(true).truncate(false).write(true).open(&lock).at(lock.display())?;
    alone.lock().at(lock.display())?;
    // What lies there was left by one that was interrupted, or this lock would be its.
    let mut removed: Vec<Entry> = chosen.iter().filter(|entry| is_trash(entry)).cloned().collect();
    let taken = take(root, chosen, &trash, &mut removed);
    taken.and(empty(&trash)).map(|()| removed)
}

/// The trash, made where there is none. A link in its place would have another folder emptied.
fn trash_of(root: &Path) -> Result<PathBuf, Error> {
    let trash = root.join(TRASH);
    match metadata(&trash)? {
        Some(meta) if meta.is_dir() => {}
        Some(_) => return Err(Error::format(trash.display(), "this is not a folder of the cache; delete it")),
        None => fs::create_dir_all(&trash).at(trash.display())?,
    }
    Ok(trash)
}

fn is_trash(entry: &Entry) -> bool {
    Path::new(&entry.name).starts_with(TRASH)
}

/// Renames what is not in use into the trash. Nobody can take an entry into use meanwhile, which is short.
fn take(root: &Path, chosen: &[Entry], trash: &Path, removed: &mut Vec<Entry>) -> Result<(), Error> {
    let gate = Gate::close(root)?;
    let held = gate.held()?;
    // What could not be deleted before keeps its name.
    let mut places = (0_u64..).map(|number| trash.join(number.to_string()));
    let mut all = Ok(());
    for entry in chosen.iter().filter(|entry| !is_trash(entry)) {
        let path = root.join(&entry.name);
        let meta = match metadata(&path) {
            Ok(Some(meta)) => meta,
            Ok(None) => continue,
            Err(error) => {
                all = all.and(Err(error));
                continue;
            }
        };
        let used_since = entry.kind != Kind::Left && seconds(&meta) != entry.last_use;
        if used_since || is_held(&entry.name, entry.kind, &held) {
            continue;
        }
        let Some(place) = places.find(|place| fs::symlink_metadata(place).is_err()) else { break };
        match fs::rename(&path, place) {
            Ok(()) => removed.push(entry.clone()),
            Err(error) => all = all.and(Err(error).at(by_hand(&path))),
        }
    }
    all
}

/// Deletes all that is in a folder. What cannot be deleted stays there, and the first of it is the error.
fn empty(folder: &Path) -> Result<(), Error> {
    let mut all = Ok(());
    for entry in fs::read_dir(folder).at(folder.display())? {
        let path = entry.at(folder.display())?.path();
        all = all.and(delete(&path).at(by_hand(&path)));
    }
    all
}

/// What is said of a thing that stays.
fn by_hand(path: &Path) -> String {
    format!("{} cannot be taken away, and must be deleted by hand; the rest was", path.display())
}

/// Deletes a file, or a folder with all that is in it. The go command takes the right to write from the folders of its modules.
fn delete(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    let mut open = vec![path.to_path_buf()];
    while let Some(folder) = open.pop() {
        // Where it is somebody else's, the deletion below says so.
        let _ = fs::set_permissions(&folder, Permissions::from_mode(0o700));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
        }
    }
    fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests;
