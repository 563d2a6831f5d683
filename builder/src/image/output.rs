//! Whole results or none: files are written beside their place and renamed when all of them are whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

/// What files are called until they are published. Nobody else's files are called so.
const TEMPORARY: &str = ".orlop-build-";

/// Files that appear together in a folder. While it lives, no other build writes to that folder.
pub struct Output {
    folder: PathBuf,
    lock: File,
    files: Vec<(NamedTempFile, String)>,
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
        Ok(Output { folder: folder.into(), lock, files: Vec::new() })
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
        file.write_all(bytes).with_context(|| self.failed(name))
    }

    /// What to say when a file cannot be written.
    pub fn failed(&self, name: &str) -> String {
        let path = self.folder.join(name);
        format!("{}: cannot be written; make room, or choose another folder with --out", path.display())
    }

    /// Renames all of them to their places, in the order in which they were begun.
    pub fn publish(mut self) -> anyhow::Result<()> {
        for (file, name) in &self.files {
            // The mode was subject to the umask of this machine.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(mode).with_context(|| self.failed(name))?;
            file.as_file().sync_all().with_context(|| self.failed(name))?;
        }
        for (file, name) in std::mem::take(&mut self.files) {
            file.persist(self.folder.join(&name)).with_context(|| self.failed(&name))?;
        }
        self.lock.sync_all().context("the output folder")
    }
}
