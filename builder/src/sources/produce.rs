//! What a component's source yields: files in the cache, by their path in the source.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::{Cache, Key, hash_file};
use super::error::{At, Error};

/// Where a result keeps its files.
const FILES: &str = "files";
/// Where a result keeps the list of its files.
const CATALOGUE: &str = "files.json";

/// What one component's source yields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Produced {
    /// Path in the source → file.
    pub files: BTreeMap<String, ProducedFile>,
    /// Upstream's version.
    pub version: String,
    /// Where it came from, as in the lockfile.
    pub origin: String,
    /// SHA-256 of the input, as in the lockfile; for crates of this repository, of their sources.
    pub sha256: String,
}

/// One file that a source yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedFile {
    /// Where it lies in the cache.
    pub path: PathBuf,
    /// What it is.
    pub kind: ProducedKind,
}

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProducedKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// SHA-256 of its content.
        sha256: String,
        /// Whether it has an execute bit.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it points to.
        target: String,
    },
}

/// The files of a result; `make` puts them into an empty folder when they were not made before.
pub fn files(
    cache: &Cache,
    key: &Key,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<BTreeMap<String, ProducedFile>, Error> {
    let folder = cache.result(key, |folder| {
        let files = folder.join(FILES);
        fs::create_dir(&files).at(files.display())?;
        make(&files)?;
        let text = serde_json::to_vec(&catalogue(&files)?).map_err(|error| Error::format(CATALOGUE, error))?;
        let path = folder.join(CATALOGUE);
        fs::write(&path, text).at(path.display())
    })?;
    let list = folder.join(CATALOGUE);
    let text = fs::read(&list).at(list.display())?;
    let kinds: BTreeMap<String, ProducedKind> =
        serde_json::from_slice(&text).map_err(|error| Error::format(list.display(), error))?;
    let root = folder.join(FILES);
    Ok(kinds.into_iter().map(|(name, kind)| (name.clone(), ProducedFile { path: root.join(name), kind })).collect())
}

/// Every file and link below a folder, by its path.
pub fn catalogue(root: &Path) -> Result<BTreeMap<String, ProducedKind>, Error> {
    catalogue_in(root, |_| {})
}

/// `order` puts a folder's entries into the order in which they are looked at; a test's is another than the file
/// system's.
fn catalogue_in(root: &Path, order: fn(&mut [fs::DirEntry])) -> Result<BTreeMap<String, ProducedKind>, Error> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = entries.at(folder.display())?;
        order(&mut entries);
        for path in entries.iter().map(fs::DirEntry::path) {
            let meta = path.symlink_metadata().at(path.display())?;
            if meta.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
            let name = name.ok_or_else(|| Error::format(path.display(), "the name is not UTF-8"))?;
            found.insert(name, kind(&path, &meta)?);
        }
    }
    Ok(found)
}

pub(super) fn kind(path: &Path, meta: &fs::Metadata) -> Result<ProducedKind, Error> {
    if meta.is_symlink() {
        let target = fs::read_link(path).at(path.display())?;
        let target = target.to_str().ok_or_else(|| Error::format(path.display(), "its target is not UTF-8"))?;
        return Ok(ProducedKind::Link { target: target.into() });
    }
    if !meta.is_file() {
        return Err(Error::format(path.display(), "is neither file, folder nor symbolic link"));
    }
    let executable = meta.permissions().mode() & 0o111 != 0;
    Ok(ProducedKind::File { size: meta.len(), sha256: hash_file(path)?, executable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_folder_does_not_matter() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b/2", "b/1", "a/x", "c", "a/b/y"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
        }
        let as_it_is = serde_json::to_string(&catalogue(root.path()).unwrap()).unwrap();
        let orders: [fn(&mut [fs::DirEntry]); 2] = [
            |entries| entries.sort_by_key(fs::DirEntry::file_name),
            |entries| entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name())),
        ];
        for order in orders {
            assert_eq!(serde_json::to_string(&catalogue_in(root.path(), order).unwrap()).unwrap(), as_it_is);
        }
        assert!(as_it_is.find("a/b/y") < as_it_is.find("a/x") && as_it_is.find("b/2") < as_it_is.find("\"c\""));
    }
}
