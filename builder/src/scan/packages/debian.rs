//! What is particular to Debian's packages.

use super::super::package::Identity;

/// As advisories call it, without a release.
pub(super) const ECOSYSTEM: &str = "Debian";

/// Whether a package is Debian's, of whatever release.
pub(super) fn is(package: &Identity) -> bool {
    package.ecosystem.split(':').next() == Some(ECOSYSTEM)
}

/// What others call Debian's kernel: the release of Linux that it is made of.
pub(super) fn upstream(package: &Identity) -> Option<Identity> {
    let release = |version: &str| version.split('-').next().unwrap_or_default().to_owned();
    (is(package) && package.name == "linux").then(|| Identity {
        ecosystem: "Linux".into(),
        name: "Kernel".into(),
        version: package.version.as_deref().map(release),
    })
}
