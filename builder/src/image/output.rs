//! Whole results or none: files are written beside their place and renamed when all of them are whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::sources::hash;

/// What files are called until they are published. Nobody else's files are called so.
const TEMPORARY: &str = ".orlop-build-";
/// What vouches for a set: it is taken away before a file of the set changes, so that no half of one and half of
/// another is ever taken for whole. A set may have none of them: an unsigned image takes a signed one's place.
const VOUCHERS: [&str; 5] = [STAMP, ".release.json.sig", ".provenance.json", ".sums.json", ".request.json"];
/// What a build says of itself, at the end of the file's name.
const STAMP: &str = ".build.json";
/// The disk image's end.
const IMAGE: &str = ".raw";

/// Files that appear together in a folder. While it lives, no other build writes to that folder.
pub struct Output {
    folder: PathBuf,
    lock: File,
    files: Vec<(NamedTempFile, String)>,
    digests: BTreeMap<String, String>,
}

impl Output {
    /// Starts a set of files in `folder`, which is made where it is missing. Waits for another build that writes
    /// there, and takes away what one that was interrupted left.
    pub fn begin(folder: &Path) -> anyhow::Result<Output> {
        let context = || format!("{}: cannot be written to; choose another folder with --out", folder.display());
        fs::create_dir_all(folder).with_context(context)?;
        let lock = File::open(folder).with_context(context)?;
        lock.lock().with_context(context)?;
        for entry in fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                fs::remove_file(entry.path()).with_context(context)?;
            }
        }
        Ok(Output { folder: folder.into(), lock, files: Vec::new(), digests: BTreeMap::new() })
    }

    /// A new empty file that will be called `name`.
    pub fn create(&mut self, name: &str) -> anyhow::Result<File> {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.folder)
            .with_context(|| self.failed(name))?;
        let handle = file.reopen().with_context(|| self.failed(name))?;
        self.files.push((file, name.into()));
        Ok(handle)
    }

    /// A file with these bytes.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut file = self.create(name)?;
        file.write_all(bytes).with_context(|| self.failed(name))?;
        self.digests.insert(name.into(), hash(bytes));
        Ok(())
    }

    /// Where a file of the set lies until it is published.
    pub fn written(&self, name: &str) -> anyhow::Result<PathBuf> {
        let found = self.files.iter().find(|(_, own)| own == name);
        found.map(|(file, _)| file.path().to_owned()).with_context(|| format!("{name} is no file of this set"))
    }

    /// SHA-256 of the files that were written in one piece.
    pub fn digests(&self) -> &BTreeMap<String, String> {
        &self.digests
    }

    /// What to say when a file cannot be written.
    pub fn failed(&self, name: &str) -> String {
        let path = self.folder.join(name);
        format!("{}: cannot be written; make room, or choose another folder with --out", path.display())
    }

    /// Renames all of them to their places: the image after what lies beside it, and the build's stamp at the end.
    pub fn publish(self) -> anyhow::Result<()> {
        self.publish_by(&mut |file, to| file.persist(to).map(drop).map_err(|error| error.error))
    }

    fn publish_by(mut self, rename: &mut dyn FnMut(NamedTempFile, &Path) -> io::Result<()>) -> anyhow::Result<()> {
        for (file, name) in &self.files {
            // The mode was subject to the umask of this machine.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(mode).with_context(|| self.failed(name))?;
            file.as_file().sync_all().with_context(|| self.failed(name))?;
        }
        let mut files = std::mem::take(&mut self.files);
        files.sort_by_key(|(_, name)| (name.ends_with(STAMP), name.ends_with(IMAGE)));
        let stem = files.iter().find_map(|(_, name)| name.strip_suffix(IMAGE)).unwrap_or_default();
        for name in VOUCHERS.map(|voucher| format!("{stem}{voucher}")) {
            match fs::remove_file(self.folder.join(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).with_context(|| self.failed(&name))?
                }
                _ => {}
            }
        }
        self.lock.sync_all().context("the output folder")?;
        for (file, name) in files {
            rename(file, &self.folder.join(&name)).with_context(|| self.failed(&name))?;
        }
        self.lock.sync_all().context("the output folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] =
        ["x.raw", "x.release.json", "x.release.json.sig", "x.provenance.json", "x.efi", "x.sums.json", "x.build.json"];

    fn begun(folder: &Path, content: &str) -> Output {
        let mut output = Output::begin(folder).unwrap();
        NAMES.iter().for_each(|name| output.write(name, content.as_bytes()).unwrap());
        output
    }

    fn content(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join(name)).ok()
    }

    #[test]
    fn a_set_that_was_published_in_part_vouches_for_nothing() {
        for failing in 0..NAMES.len() {
            let desk = tempfile::tempdir().unwrap();
            let folder = desk.path();
            begun(folder, "old").publish().unwrap();
            let mut renamed = Vec::new();
            let failed = begun(folder, "new").publish_by(&mut |file, to| {
                if renamed.len() == failing {
                    return Err(io::Error::other("cut off"));
                }
                renamed.push(to.file_name().unwrap().to_string_lossy().into_owned());
                file.persist(to).map(drop).map_err(|error| error.error)
            });
            let text = format!("{:#}", failed.unwrap_err());
            assert!(text.contains("cut off") && text.contains("make room"), "{text}");
            assert_eq!(content(folder, "x.build.json"), None, "after {renamed:?}");
            // The old signatures stand beside nothing new, and the new image beside nothing old.
            for signed in ["x.release.json.sig", "x.provenance.json"] {
                assert_ne!(content(folder, signed).as_deref(), Some("old"), "after {renamed:?}");
            }
            if content(folder, "x.raw").as_deref() == Some("new") {
                let others = NAMES.iter().filter(|name| !name.ends_with(STAMP));
                assert!(others.clone().all(|name| content(folder, name).as_deref() == Some("new")), "{renamed:?}");
            }
            let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(TEMPORARY)), "{left:?}");
            begun(folder, "newer").publish().unwrap();
            assert!(NAMES.iter().all(|name| content(folder, name).as_deref() == Some("newer")));
        }
    }
}
