//! The state partition's first content: an ext4 made by the locked `mke2fs`, carried in the root as a sparse
//! list of extents, so that the node needs no mkfs (docs/node.md, "The state partition").

use std::fs::{self, File};

use anyhow::{Context, bail};

use crate::formats::ext4_template;
use crate::sources::{Cache, Error, Key, Tool, hash_file};
use crate::tree::Content;

/// Counted up when the way a template is made changes.
const RECIPE: u32 = 1;

/// The template, in the cache.
#[derive(Debug, Clone)]
pub struct Template {
    /// The template file.
    pub content: Content,
    /// Its SHA-256.
    pub sha256: String,
}

/// Makes the template, or finds it in the cache.
pub fn template(epoch: u64, cache: &Cache, mke2fs: &Tool) -> anyhow::Result<Template> {
    let key = Key::new("state-template", RECIPE, &[&epoch.to_string(), &mke2fs.key]);
    let folder = cache
        .result(&key, |folder| make(epoch, mke2fs, folder).map_err(|error| Error::Unresolved(format!("{error:#}"))))?;
    let path = folder.join("state.template");
    let sha256 = fs::read_to_string(folder.join("sha256"))?;
    let size = fs::metadata(&path)?.len();
    Ok(Template { content: Content::Cached { path, size, sha256: sha256.clone() }, sha256 })
}

fn make(epoch: u64, mke2fs: &Tool, folder: &std::path::Path) -> anyhow::Result<()> {
    let image = folder.join("state.ext4");
    File::create(&image)?.set_len(ext4_template::BYTES)?;
    let output = mke2fs
        .command("mke2fs")
        .args(ext4_template::mke2fs_args())
        .arg(&image)
        .envs(ext4_template::mke2fs_environment(epoch))
        .output()
        .context("mke2fs cannot be started")?;
    if !output.status.success() {
        bail!("mke2fs: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    let template = folder.join("state.template");
    fs::write(&template, ext4_template::from_image(&File::open(&image)?)?)?;
    fs::remove_file(&image)?;
    fs::write(folder.join("sha256"), hash_file(&template)?)?;
    Ok(())
}
