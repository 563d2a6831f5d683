//! Landlock: files, TCP ports, signals and abstract sockets.

use super::Open;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use std::path::Path;

/// What the node's kernel (6.12) knows; an older one does what it knows.
const KERNEL: ABI = ABI::V6;
/// Metadata servers speak HTTP.
const HTTP: u16 = 80;

/// Closes all but what is open; `false`: not all of it could be closed.
pub fn close(open: &Open<'_>) -> Result<bool, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KERNEL))?
        .handle_access(AccessNet::from_all(KERNEL))?
        .scope(Scope::from_all(KERNEL))?
        .create()?
        .add_rule(NetPort::new(HTTP, AccessNet::ConnectTcp))?;
    let write = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let reads = open.read.iter().map(|path| (path.as_path(), read));
    let all: Vec<(&Path, BitFlags<AccessFs>)> = reads
        .chain([(open.run, read | write), (open.settings, read | AccessFs::WriteFile | AccessFs::Truncate)])
        .collect();
    for (path, access) in all {
        // What is not there needs no opening; a module that comes later brings its files below what is.
        if let Ok(path) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(path, access))?;
        }
    }
    Ok(rules.restrict_self()?.ruleset == RulesetStatus::FullyEnforced)
}
