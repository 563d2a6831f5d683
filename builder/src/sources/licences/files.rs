//! Which files hold licence texts, by the names that everybody gives them.

use std::fs;
use std::path::Path;

use super::super::error::{At, Error};
use super::super::produce::{Produced, ProducedKind};
use super::Texts;

/// What such a name begins with, in any letters.
const NAMES: [&str; 8] = ["license", "licence", "copying", "copyright", "notice", "patents", "unlicense", "authors"];
/// Endings of what only has such a name: sources and programs.
const OTHERS: [&str; 8] = [".go", ".rs", ".c", ".h", ".py", ".sh", ".json", ".toml"];
/// No text is longer.
pub(super) const MOST: u64 = 4 << 20;

/// Whether a file is one, by its name alone.
pub(super) fn is_text(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = NAMES.iter().any(|start| {
        // `LICENSE`, `LICENSE-MIT`, `COPYING.LESSER`, `NOTICE.txt`; not `licensed`.
        name.strip_prefix(start).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
    });
    named && !OTHERS.iter().any(|end| name.ends_with(end))
}

/// Whether a text of such a name says what may be done, and not who did it or whose patents it has.
pub fn is_licence(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    file.starts_with("LICENSES/")
        || ["license", "licence", "copying", "copyright", "unlicense"].iter().any(|start| name.starts_with(start))
}

/// The texts that lie in a folder itself, and in one called `LICENSES` (reuse.software) in it.
pub(super) fn folder(folder: &Path) -> Result<Texts, Error> {
    let mut texts = Texts::new();
    for (prefix, folder) in [("", folder.to_path_buf()), ("LICENSES/", folder.join("LICENSES"))] {
        // A link there may lead out of the source, as one to a file may.
        if !prefix.is_empty() && !fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir()) {
            continue;
        }
        for entry in fs::read_dir(&folder).at(folder.display())? {
            let entry = entry.at(folder.display())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A link may lead anywhere, and the same module elsewhere.
            let regular = entry.file_type().at(entry.path().display())?.is_file();
            if regular && (is_text(&name) || (!prefix.is_empty() && name.ends_with(".txt"))) {
                texts.insert(format!("{prefix}{name}"), read(&entry.path())?);
            }
        }
    }
    Ok(texts)
}

/// The texts in what a source yields: of a Debian package its `copyright`, of others those in its first two folders.
pub(super) fn produced(made: &Produced) -> Result<Texts, Error> {
    let mut texts = Texts::new();
    for (path, file) in &made.files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let debian = path.starts_with("usr/share/doc/") && name == "copyright";
        let other = path.matches('/').count() < 2 && is_text(name);
        if matches!(file.kind, ProducedKind::File { .. }) && (debian || other) {
            texts.insert(path.clone(), read(&file.path)?);
        }
    }
    Ok(texts)
}

/// A file of a package, of a text's length.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let size = fs::metadata(path).at(path.display())?.len();
    if size > MOST {
        let reason = format!("{size} bytes, more than a licence text or a manifest has ({MOST})");
        return Err(Error::format(path.display(), reason));
    }
    Ok(text(&fs::read(path).at(path.display())?))
}

/// A text as documents carry it: UTF-8, whatever it was in.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
