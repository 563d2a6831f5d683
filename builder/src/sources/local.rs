//! What a build takes from this machine besides the lockfile: the user's own files and Orlop's own crates.

use orlop_config::definition::Source;

use super::{Error, Project, file, hash, workspace};

/// A digest of all of it; the same means that nothing of it changed.
pub fn local_digest(project: &Project) -> Result<String, Error> {
    let mut parts = vec![workspace::source_hash()?];
    for (name, component) in &project.definition().components {
        if let Source::File(source) = &component.source {
            parts.push(file::lock(project, name, source)?.sha256);
        }
    }
    Ok(hash(parts.join("\n").as_bytes()))
}
