//! Flaws of a release of Linux that the distribution mended by a patch of its own, as the changelog of its package says.
//!
//! The kernel's own records (OSV's ecosystem `Linux`) know upstream's releases: by them Debian's `6.12.48-2` is `6.12.48`,
//! whatever Debian put into it before upstream did. What Debian's own records say needs none of this.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Found, Outcome};
use super::package::Patches;

const ECOSYSTEM: &str = "Linux";

/// Tells apart what is mended. It stays in the list, with the version that says so.
pub(super) fn apply(findings: &mut [Found], patched: &BTreeMap<String, Patches>) {
    for found in findings.iter_mut().filter(|found| found.package.ecosystem == ECOSYSTEM) {
        for place in found.places.iter_mut().filter(|place| place.outcome.counts()) {
            let Some(version) = patched.get(&place.by.component).and_then(|by| fixed_in(&found.names, by)) else {
                continue;
            };
            place.outcome = Outcome::Patched;
            place.reason = Some(format!("the distribution's changelog names it as fixed in {version}"));
            place.next = "nothing: the distribution's patch is in it".into();
        }
        found.outcome = found.places.iter().map(|place| place.outcome).max().unwrap_or(found.outcome);
    }
}

/// The version, or versions, that fixed a finding. One that is several flaws is fixed when each of them is.
fn fixed_in(names: &BTreeSet<String>, patches: &Patches) -> Option<String> {
    let flaws = names.iter().filter(|name| name.starts_with("CVE-"));
    let versions = flaws.map(|flaw| patches.get(flaw).map(String::as_str)).collect::<Option<BTreeSet<&str>>>()?;
    (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(" and "))
}
