//! A list of programs, built into a folder: no image, and so neither kernel nor keys.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use super::inputs::Inputs;
use crate::sources::{Bench, Produced, produce_all};

/// What was built.
#[derive(Debug, Serialize)]
pub struct BuiltPrograms {
    /// The programs: links to files of the cache.
    pub programs: Vec<PathBuf>,
}

/// Builds a list of programs (`kind = "programs"`) into `out`: a link for each to the cache, which has its bytes.
/// With `relock_gone`, packages that the archive dropped are locked again.
pub fn build_programs(list: &Path, out: &Path, relock_gone: bool, bench: &Bench<'_>) -> anyhow::Result<BuiltPrograms> {
    let inputs = Inputs::load(list)?;
    if inputs.project.definition().is_image() {
        bail!("{}: this is an image's definition, no list of programs; build it by `orlop build`", list.display());
    }
    let inputs = inputs.fetch(bench, relock_gone)?;
    let produced = produce_all(bench, &inputs.project, &inputs.lockfile)?;
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let mut programs = Vec::new();
    for (name, component) in &inputs.project.definition().components {
        let Some(made) = produced.get(name) else { continue };
        for (file, from) in taken(made, &component.install) {
            let found = made.files.get(from).with_context(|| {
                let there = made.files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("component `{name}`: its source has no `{from}`; it has {there}")
            })?;
            let path = out.join(file);
            link(&found.path, &path).with_context(|| path.display().to_string())?;
            programs.push(path);
        }
    }
    Ok(BuiltPrograms { programs })
}

/// Name in the folder, path in the source; all of them when none is named.
fn taken<'c>(made: &'c Produced, install: &'c std::collections::BTreeMap<String, String>) -> Vec<(&'c str, &'c str)> {
    let pair = |(to, from): (&'c String, &'c String)| (to.as_str(), from.as_str());
    if !install.is_empty() {
        return install.iter().map(pair).collect();
    }
    made.files.keys().map(|name| (name.as_str(), name.as_str())).collect()
}

/// Puts a link in the place of what is there, at once.
fn link(target: &Path, path: &Path) -> std::io::Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    std::os::unix::fs::symlink(target, &new)?;
    fs::rename(&new, path)
}
