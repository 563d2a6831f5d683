//! Whole results or none: files are written beside their place and renamed when all of them are whole.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

/// Files that appear together in a folder.
pub struct Output {
    folder: PathBuf,
    files: Vec<(NamedTempFile, String)>,
}

impl Output {
    /// Starts a set of files in `folder`, which is made where it is missing.
    pub fn begin(folder: &Path) -> anyhow::Result<Output> {
        fs::create_dir_all(folder).with_context(|| {
            format!("{}: the output folder cannot be made; choose another with --out", folder.display())
        })?;
        Ok(Output { folder: folder.into(), files: Vec::new() })
    }

    /// A new empty file that will be called `name`.
    pub fn create(&mut self, name: &str) -> anyhow::Result<File> {
        let context = || format!("{}/{name}: cannot be written", self.folder.display());
        let file = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(&self.folder)
            .with_context(context)?;
        let handle = file.reopen().with_context(context)?;
        self.files.push((file, name.into()));
        Ok(handle)
    }

    /// A file with these bytes.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut file = self.create(name)?;
        file.write_all(bytes).with_context(|| format!("{}/{name}: cannot be written", self.folder.display()))
    }

    /// Renames all of them to their places, in the order in which they were begun.
    pub fn publish(self) -> anyhow::Result<()> {
        for (file, name) in &self.files {
            let path = self.folder.join(name);
            file.as_file().sync_all().with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        for (file, name) in self.files {
            let path = self.folder.join(name);
            file.persist(&path).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).context("the output folder")
    }
}
