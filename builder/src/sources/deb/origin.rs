//! What is read out of a Debian package's origin, as the lockfile and the root's `components.json` have it, and out of its
//! version: `Debian trixie pool/main/l/linux-signed-amd64/linux-image-6.12.117+deb13-cloud-amd64_6.12.117-1_amd64.deb`.

/// Code name → release, as far as they are known.
const RELEASES: [(&str, u32); 5] = [("bookworm", 12), ("bullseye", 11), ("duke", 15), ("forky", 14), ("trixie", 13)];

/// An origin in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The archive's label, which may have blanks: `Debian`, `Debian-Security`, `Debian Backports`.
    pub label: &'a str,
    /// `trixie-security`
    pub suite: &'a str,
    /// The file in the archive.
    pub path: &'a str,
}

impl<'a> Origin<'a> {
    /// Takes an origin apart; `None` for what is none of an archive's.
    pub fn parse(text: &'a str) -> Option<Origin<'a>> {
        let mut words = text.rsplitn(3, ' ');
        let (path, suite, label) = (words.next()?, words.next()?, words.next()?);
        path.contains('/').then_some(Origin { label, suite, path })
    }

    /// The source package, by its folder in the pool (`pool/AREA/PREFIX/SOURCE/FILE`); empty where the path has none.
    pub fn source(&self) -> &'a str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }
}

/// `trixie`, `trixie-security` → 13; `None` for a suite whose number is not known.
pub fn release(suite: &str) -> Option<u32> {
    let name = suite.split('-').next().unwrap_or_default();
    RELEASES.iter().find(|(code, _)| *code == name).map(|(_, number)| *number)
}

/// What was signed: signed kernels have a source package of their own, and flaws are filed under the one that they were
/// built from.
pub fn signed(source: &str) -> Option<&'static str> {
    source.starts_with("linux-signed-").then_some("linux")
}

/// A version without the revision, which is Debian's own: `1:2.6.0-2` → `1:2.6.0`.
pub fn without_revision(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// Upstream's own version: without epoch and revision.
pub fn upstream_version(version: &str) -> &str {
    without_revision(version.split_once(':').map_or(version, |(_, rest)| rest))
}

/// The source's version. Built again without a change of the source, a package has `+bN` behind it.
pub fn source_version(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, count)) if !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()) => source,
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_label_suite_and_source() {
        for (text, wanted) in [
            (
                "Debian trixie pool/main/l/linux-signed-amd64/linux-image_6.12.117-1_amd64.deb",
                ("Debian", "trixie", "linux-signed-amd64"),
            ),
            (
                "Debian-Security trixie-security pool/updates/main/l/linux-signed-amd64/linux-image_6.12.117-1_amd64.deb",
                ("Debian-Security", "trixie-security", "linux-signed-amd64"),
            ),
            ("Debian Backports trixie-backports pool/main/x/x/x_1.deb", ("Debian Backports", "trixie-backports", "x")),
            ("Debian trixie /x.deb", ("Debian", "trixie", "")),
        ] {
            let origin = Origin::parse(text).unwrap();
            assert_eq!((origin.label, origin.suite, origin.source()), wanted, "{text}");
        }
        for other in ["k8s.io/kubernetes@v1.37.2", "Debian", "Debian trixie x.deb", "image definition"] {
            assert_eq!(Origin::parse(other), None, "{other}");
        }
    }

    #[test]
    fn releases_and_sources_are_those_of_debian() {
        assert_eq!((release("trixie-security"), release("trixie"), release("sid")), (Some(13), Some(13), None));
        assert_eq!((signed("linux-signed-amd64"), signed("linux"), signed("runc")), (Some("linux"), None, None));
        let versions = ["1.0-1+b2", "1.0-1+bpo", "1.0+b"].map(source_version);
        assert_eq!(versions, ["1.0-1", "1.0-1+bpo", "1.0+b"]);
    }
}
