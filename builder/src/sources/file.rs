//! Files of the user, beside the definition. They are copied into the cache, so that a build sees one state of them.

use std::fs;
use std::path::{Path, PathBuf};

use orlop_config::definition::FileSource;
use orlop_config::lockfile::{Input, Lockfile};

use super::cache::{Key, hash};
use super::error::{At, Error, relock};
use super::produce::{self, Produced, ProducedKind};
use super::project::beside;
use super::{Bench, Project};

/// An input for files as they are now.
pub fn lock(project: &Project, component: &str, source: &FileSource) -> Result<Input, Error> {
    Ok(Input {
        kind: "file".into(),
        name: component.into(),
        version: source.version.clone(),
        origin: origin(source),
        sha256: digest(&place(project, component, source)?)?,
        size: None,
    })
}

/// Where files come from, as the image says it: the definition's words, but no folder of this machine.
pub fn origin(source: &FileSource) -> String {
    let path = Path::new(&source.path);
    let name = path.file_name().filter(|_| path.is_absolute());
    name.map_or_else(|| source.path.clone(), |name| name.to_string_lossy().into_owned())
}

/// The files, as they were locked.
pub fn build(
    bench: &Bench<'_>,
    project: &Project,
    lockfile: &Lockfile,
    component: &str,
    source: &FileSource,
) -> Result<Produced, Error> {
    let input = bench.input(lockfile, component)?;
    let place = place(project, component, source)?;
    let unchanged = |got: String| {
        if got == input.sha256 {
            return Ok(());
        }
        let (expected, from) = (input.sha256.clone(), place.display().to_string());
        Err(Error::WrongHash { input: component.into(), expected, got, from, next: relock(component) })
    };
    unchanged(digest(&place)?)?;
    let files = produce::files(bench.cache, &Key::new("file", 1, &[&input.sha256]), |folder| {
        copy(&place, folder)?;
        let single = place.is_file();
        let copied = if single { folder.join(place.file_name().unwrap_or_default()) } else { folder.to_path_buf() };
        unchanged(digest(&copied)?)
    })?;
    Ok(Produced { files, version: source.version.clone(), origin: input.origin.clone(), sha256: input.sha256.clone() })
}

fn place(project: &Project, component: &str, source: &FileSource) -> Result<PathBuf, Error> {
    let from = project.resolved.file_of_component(component).unwrap_or_default();
    let path = beside(&source.path, from);
    if path.starts_with("orlop:") {
        return Err(Error::Unresolved(format!(
            "component `{component}`: the shipped definition {from} names the file {}, which is not carried",
            source.path
        )));
    }
    let named = |reason| Error::Named { path: path.clone(), what: format!("component `{component}`"), reason };
    fs::metadata(&path).map_err(named)?;
    Ok(path.into())
}

/// SHA-256 over names, execute bits and contents: a line for each, sorted.
fn digest(place: &Path) -> Result<String, Error> {
    let meta = fs::metadata(place).at(place.display())?;
    let root = if meta.is_dir() { place } else { place.parent().unwrap_or(Path::new("")) };
    let all = if meta.is_dir() { produce::catalogue(root)? } else { single(place)? };
    let mut text = String::new();
    for (name, kind) in all {
        match kind {
            ProducedKind::File { sha256, executable, .. } => {
                text.push_str(&format!("{sha256} {} {name}\n", if executable { "755" } else { "644" }));
            }
            ProducedKind::Link { target } => text.push_str(&format!("link {target:?} {name}\n")),
        }
    }
    Ok(hash(text.as_bytes()))
}

fn single(file: &Path) -> Result<std::collections::BTreeMap<String, ProducedKind>, Error> {
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::format(file.display(), "the name is not UTF-8"))?;
    let meta = fs::metadata(file).at(file.display())?;
    Ok([(name.to_string(), produce::kind(file, &meta)?)].into())
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if from.is_file() {
        let to = to.join(from.file_name().unwrap_or_default());
        fs::copy(from, &to).at(from.display())?;
        return Ok(());
    }
    for (name, kind) in produce::catalogue(from)? {
        let path = to.join(&name);
        let parent = path.parent().unwrap_or(to);
        fs::create_dir_all(parent).at(parent.display())?;
        match kind {
            ProducedKind::File { .. } => {
                fs::copy(from.join(&name), &path).map(|_| ()).at(from.join(&name).display())?
            }
            ProducedKind::Link { target } => std::os::unix::fs::symlink(target, &path).at(path.display())?,
        }
    }
    Ok(())
}
