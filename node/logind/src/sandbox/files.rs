//! Landlock: no file, no TCP port, no signal, no abstract socket.

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetError, RulesetStatus, Scope};

/// What the node's kernel (6.12) knows; an older one does what it knows.
const KERNEL: ABI = ABI::V6;

/// Closes them; `false`: not all of it could be closed.
pub fn close() -> Result<bool, RulesetError> {
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KERNEL))?
        .handle_access(AccessNet::from_all(KERNEL))?
        .scope(Scope::from_all(KERNEL))?
        .create()?;
    Ok(rules.restrict_self()?.ruleset == RulesetStatus::FullyEnforced)
}
