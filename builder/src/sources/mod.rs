//! Inputs: found out and locked ([`lock`]), fetched into the cache ([`fetch`]), and made into files for the tree
//! ([`produce_all`]). One file (or folder) per kind of source; the cache and the toolchains beside them; and what kubelet is
//! told, held against the source that it is compiled of ([`check_kubelet`]).

mod altered;
mod bench;
mod cache;
mod deb;
mod download;
mod error;
mod fetch;
mod file;
mod go;
mod kubelet;
mod libseccomp;
mod licences;
mod local;
mod lock;
mod oci;
mod produce;
mod progress;
mod project;
mod run;
#[cfg(test)]
mod server;
pub mod shipped;
#[cfg(test)]
mod tests;
mod tool;
mod unpack;
mod update;
mod url;
mod workspace;
mod zig;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use orlop_config::definition::Source;
use orlop_config::lockfile::Lockfile;

pub use bench::Bench;
pub use cache::{Cache, Guard, Key, entries, hash, hash_file, prune};
pub use deb::{Archive, changelog, origin as debian};
pub use error::{Error, Gone};
pub use fetch::fetch;
pub use kubelet::check as check_kubelet;
pub(crate) use licences::is_expression;
pub use licences::{Licensed, OWN_LICENCE, Owner, collect as licences, is_licence};
pub use local::local_digest;
pub use lock::{Change, Locked, lock, newer, relock_gone};
pub use oci::ARCHIVE as OCI_ARCHIVE;
pub use produce::{Produced, ProducedFile, ProducedKind};
pub use progress::{Report, Silent, step};
pub use project::{Project, ProjectError, beside};
pub use tool::{Tool, Tools, tools};
pub use update::Update;
pub use workspace::{PROFILE as RUST_PROFILE, TARGET as RUST_TARGET, own_lines, rust_release, source_hash};

use error::At;

/// Makes the files of every component: unpacks packages, compiles what is compiled. Results that are in the cache
/// are only looked up. What is not in the cache is fetched on the way.
pub fn produce_all(
    bench: &Bench<'_>,
    project: &Project,
    lockfile: &Lockfile,
) -> Result<BTreeMap<String, Produced>, Error> {
    let definition = project.definition();
    let mut produced = workspace::build(bench, definition, lockfile)?;
    for (name, component) in &definition.components {
        let files = match &component.source {
            Source::Deb(_) => deb::build(bench, lockfile, name)?,
            Source::Go(source) => go::build(bench, lockfile, name, source, &lock::module(project, lockfile, name)?)?,
            Source::Url(source) => url::build(bench, lockfile, name, source)?,
            Source::File(source) => file::build(bench, project, lockfile, name, source)?,
            Source::Oci(source) => oci::build(bench, lockfile, name, source)?,
            Source::Workspace(_) => continue,
        };
        produced.insert(name.clone(), files);
    }
    Ok(produced)
}

fn make_executable(path: &Path) -> Result<(), Error> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).at(path.display())
}
