//! What is in a cache: each entry with its size and its last use. An entry is what is taken away as a whole.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::super::error::{At, Error};
use super::uses::{Gate, unless_read_only};
use super::{PARTIAL, RESULTS, SHA256, SHARED, TRASH};

/// Where `make` keeps the tools of the tests.
const TOOLS: &str = "tools";

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file as it was fetched.
    Download,
    /// What a step made.
    Result,
    /// A compiler's own cache.
    Compiler,
    /// What something that was interrupted left: parts of files, halves of results.
    Left,
    /// A tool of the tests. `make` put it there, and nothing here takes it away.
    Tool,
}

impl Kind {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Download => "download",
            Kind::Result => "result",
            Kind::Compiler => "compiler",
            Kind::Left => "left",
            Kind::Tool => "tool",
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its path below the cache's folder.
    pub name: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it was used last, in seconds since 1970.
    pub last_use: u64,
    /// Whether a running program uses it.
    pub in_use: bool,
}

/// All entries of the cache in a folder, the least recently used first; none where there is no folder.
pub fn list(root: &Path) -> Result<Vec<Entry>, Error> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    // A cache that cannot be written tells at least what it has.
    let held = unless_read_only(root, Gate::close(root).and_then(|gate| gate.held()))?;
    let mut entries = Vec::new();
    for (kind, name, path) in found(root)? {
        // What is gone since was taken away by somebody else, or is whole now and has another name.
        let Some(meta) = metadata(&path)? else { continue };
        let in_use = is_held(&name, kind, &held);
        entries.push(Entry { kind, name, bytes: bytes(&path)?, last_use: seconds(&meta), in_use });
    }
    entries.sort_by(|a, b| (a.last_use, &a.name).cmp(&(b.last_use, &b.name)));
    Ok(entries)
}

/// Whether a running program uses an entry of this name, by what programs say that they use.
pub(super) fn is_held(name: &str, kind: Kind, held: &BTreeSet<String>) -> bool {
    match (kind, name.split_once('/')) {
        // Temporary files have names that nobody knows before they are made.
        (Kind::Left, Some((PARTIAL, _))) => held.contains(PARTIAL),
        // `.KEY.xxxxxx`: a result that is being made.
        (Kind::Left, Some((RESULTS, file))) => {
            let key = file.strip_prefix('.').and_then(|rest| rest.rsplit_once('.')).map_or(file, |(key, _)| key);
            held.contains(&format!("{RESULTS}/{key}"))
        }
        _ => held.contains(name),
    }
}

/// When a file or folder was changed, in seconds since 1970.
pub(super) fn seconds(meta: &Metadata) -> u64 {
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}

/// Of what is there; links are not followed.
pub(super) fn metadata(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        meta => meta.at(path.display()).map(Some),
    }
}

type Found = (Kind, String, PathBuf);

/// Kind, name and path of every entry. Links are none: who put one there shares another cache's entry.
fn found(root: &Path) -> Result<Vec<Found>, Error> {
    let mut all = Vec::new();
    let mut add = |kind: Kind, folder: &str| -> Result<(), Error> {
        for (name, path) in inside(&root.join(folder))? {
            all.push((kind, format!("{folder}/{name}"), path));
        }
        Ok(())
    };
    for (first, _) in inside(&root.join(SHA256))? {
        add(Kind::Download, &format!("{SHA256}/{first}"))?;
    }
    add(Kind::Result, RESULTS)?;
    add(Kind::Left, PARTIAL)?;
    add(Kind::Left, TRASH)?;
    add(Kind::Tool, TOOLS)?;
    let is_here = |name: &str| {
        let mut folders = Path::new(name).ancestors().filter(|folder| !folder.as_os_str().is_empty());
        folders.all(|folder| is_folder(&root.join(folder)))
    };
    for name in SHARED.into_iter().filter(|name| *name != PARTIAL && is_here(name)) {
        all.push((Kind::Compiler, name.to_owned(), root.join(name)));
    }
    for (kind, name, _) in &mut all {
        if *kind == Kind::Result && name.starts_with(&format!("{RESULTS}/.")) {
            *kind = Kind::Left;
        }
    }
    Ok(all)
}

/// Whether there is a folder, and no link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// Name and path of what lies in a folder and is no link; nothing where there is no folder.
fn inside(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    if !is_folder(folder) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in entries_of(folder).at(folder.display())? {
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        // No name that is not UTF-8 is ours.
        if let Some(name) = entry.file_name().to_str().filter(|_| !is_link) {
            found.push((name.to_owned(), entry.path()));
        }
    }
    Ok(found)
}

fn entries_of(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Bytes on the disk of a file, or of all that is in a folder. A file with several names counts once.
fn bytes(path: &Path) -> Result<u64, Error> {
    let mut sum = 0;
    let mut seen = BTreeSet::new();
    let mut open = vec![path.to_path_buf()];
    while let Some(path) = open.pop() {
        let Some(meta) = metadata(&path)? else { continue };
        if meta.nlink() < 2 || meta.is_dir() || seen.insert((meta.dev(), meta.ino())) {
            sum += meta.blocks() * 512;
        }
        if meta.is_dir() {
            open.extend(entries_of(&path).at(path.display())?.iter().map(DirEntry::path));
        }
    }
    Ok(sum)
}
