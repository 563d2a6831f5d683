//! Semantic Versioning 2.0, and what Go, Rust and Linux call versions beside it.

use semver::{BuildMetadata, Prerelease, Version};

/// A version: `1.2.3-rc.1`, Go's `v1.2.3-0.20200101000000-abcdef123456` and `v2.0.0+incompatible`, Linux's `6.12` and
/// `6.12-rc3`. Missing numbers are 0.
pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let (text, build) = match text.split_once('+') {
        Some((text, build)) if !build.is_empty() => (text, BuildMetadata::new(build).ok()?),
        Some(_) => return None,
        None => (text, BuildMetadata::EMPTY),
    };
    let (numbers, pre) = match text.split_once('-') {
        Some((numbers, pre)) if !pre.is_empty() => (numbers, Prerelease::new(pre).ok()?),
        Some(_) => return None,
        None => (text, Prerelease::EMPTY),
    };
    let mut parts = [0; 3];
    for (at, part) in numbers.split('.').enumerate() {
        *parts.get_mut(at)? = number(part)?;
    }
    let [major, minor, patch] = parts;
    Some(Version { major, minor, patch, pre, build })
}

/// The release of a toolchain as a version: `go1.26.8` is 1.26.8, `go1.21` is 1.21.0, `go1.21rc2` is 1.21.0-rc.2. What a
/// distributor appends (`go1.22.3-custom`, `go1.26.8 X:nodwarf5`) is left out. `None` for `devel …`, which lies between
/// releases.
///
/// Advisories of the modules `stdlib` and `toolchain` are about such versions.
pub fn go_release(text: &str) -> Option<String> {
    let text = text.strip_prefix("go")?.split([' ', '-', '+']).next()?;
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (numbers, kind) = text.split_at(end);
    let pre = match kind.find(|character: char| character.is_ascii_digit()) {
        None if kind.is_empty() => String::new(),
        Some(at) if matches!(&kind[..at], "rc" | "beta") => format!("-{}.{}", &kind[..at], number(&kind[at..])?),
        _ => return None,
    };
    let Version { major, minor, patch, .. } = parse(numbers)?;
    Some(format!("{major}.{minor}.{patch}{pre}"))
}

fn number(text: &str) -> Option<u64> {
    // `parse` takes a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_ascend_as_their_makers_say() {
        let ascending = [
            "v0.0.0-20190101000000-abcdef123456",
            "0.0.0-20200101000000-abcdef123456",
            "v0.0.0",
            "0.1",
            "1.0.0-0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "v1.0.0",
            "v1.0.1-0.20200101000000-abcdef123456",
            "1.0.1",
            "1.2.3-pre.0.20200101000000-abcdef123456",
            "1.2.3",
            "1.26.0-rc.2",
            "1.26",
            "1.26.6",
            "1.26.10",
            "v2.0.0+incompatible",
            "6.12-rc3",
            "6.12",
            "6.12.9",
            "18446744073709551615.0.0",
        ];
        for pair in ascending.windows(2) {
            let [a, b] = pair else { unreachable!() };
            assert!(parse(a).unwrap().cmp_precedence(&parse(b).unwrap()).is_lt(), "{a} < {b}");
        }
        assert!(parse("v2.0.0+incompatible").unwrap().cmp_precedence(&parse("2.0.0").unwrap()).is_eq());
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "v",
            "(devel)",
            "1.2.3.4",
            "1..2",
            "-1",
            "1.+2",
            "+1",
            "1.2.x",
            "vv1",
            "18446744073709551616",
            "1.2.3-",
            "1 ",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn releases_of_go_are_versions() {
        for (release, version) in [
            ("go1.26.8", Some("1.26.8")),
            ("go1.26", Some("1.26.0")),
            ("go1", Some("1.0.0")),
            ("go1.21rc2", Some("1.21.0-rc.2")),
            ("go1.9.2beta1", Some("1.9.2-beta.1")),
            ("go1.26.8 X:nodwarf5", Some("1.26.8")),
            ("go1.22.3-custom", Some("1.22.3")),
            ("devel go1.27-0123abcd Tue Jan 6 2026", None),
            ("go1.x", None),
            ("go", None),
            ("1.26.8", None),
        ] {
            assert_eq!(go_release(release).as_deref(), version, "{release}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_version_or_none(text in "v?[0-9.a-z+-]{0,20}|.{0,20}") {
            let _ = (parse(&text), go_release(&text), go_release(&format!("go{text}")));
        }
    }
}
