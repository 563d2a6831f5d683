//! Package URLs (<https://github.com/package-url/purl-spec>): `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.

use super::super::package::Identity;
use crate::sources::debian;

/// What advisories call a package with this URL; `None` for what is no such URL.
pub(in super::super) fn identity(purl: &str) -> Option<Identity> {
    let rest = purl.strip_prefix("pkg:")?.trim_start_matches('/');
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, rest) = rest.split_once('/')?;
    // The version follows the last `@` of the last part: npm's scopes have one in front.
    let (name, version) = match rest.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !version.contains('/') => (name, Some(decoded(version)?)),
        _ => (rest, None),
    };
    let name = decoded(name.trim_matches('/')).filter(|name| !name.is_empty())?;
    let version = version.filter(|version| !version.is_empty());
    let identity =
        |ecosystem: &str, name: &str, version| Identity { ecosystem: ecosystem.into(), name: name.into(), version };
    Some(match kind.to_ascii_lowercase().as_str() {
        "golang" => identity("Go", &name, version),
        "cargo" => identity("crates.io", &name, version),
        "deb" => {
            let package = name.strip_prefix("debian/").map(str::to_owned);
            let Some(package) = package else { return Some(identity("deb", &name, version)) };
            let (source, version) = source(&package, version, qualifiers);
            identity(&debian_release(qualifiers), &source, version)
        }
        "npm" => identity("npm", &name, version),
        "pypi" => identity("PyPI", &name, version),
        "generic" if name == "linux" => identity("Linux", "Kernel", version),
        "generic" if name == "std" => identity("Rust", "std", version),
        other => identity(other, &name, version),
    })
}

/// The release of a distribution, as a package URL has it.
pub(super) fn distribution(purl: &str) -> Option<String> {
    qualifier(purl.split('#').next()?.split_once('?')?.1, "distro")
}

fn qualifier(qualifiers: &str, wanted: &str) -> Option<String> {
    qualifiers.split('&').find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('=')).and_then(decoded)
}

/// `distro=debian-13`, `debian-13.2`, `trixie`.
fn debian_release(qualifiers: &str) -> String {
    let Some(distro) = qualifier(qualifiers, "distro") else { return "Debian".into() };
    let name = distro.strip_prefix("debian-").unwrap_or(&distro);
    let number = name.split('.').next().and_then(|number| number.parse().ok());
    number.or_else(|| debian::release(name)).map_or_else(|| "Debian".into(), |number| format!("Debian:{number}"))
}

/// The source package of a binary one: syft names it, with its version where that differs, in `upstream`.
fn source(package: &str, version: Option<String>, qualifiers: &str) -> (String, Option<String>) {
    let upstream = qualifier(qualifiers, "upstream").unwrap_or_else(|| package.to_owned());
    let (name, own) = match upstream.split_once('@') {
        Some((name, own)) => (name, Some(own.to_owned())),
        None => (upstream.as_str(), None),
    };
    if let Some(built) = debian::signed(name) {
        // The source of the signatures has a version of its own; that of the kernel is the binary's.
        return (built.to_owned(), version);
    }
    let without = version.map(|version| debian::source_version(&version).to_owned());
    (name.to_owned(), own.or(without))
}

/// Percent-decoded; `None` for what is none, or no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let mut byte = [0];
            hex::decode_to_slice(after.get(..2)?, &mut byte).ok()?;
            out.push(byte[0]);
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn package_urls_are_what_advisories_call_them() {
        for (purl, wanted) in [
            ("pkg:golang/golang.org/x/net@v0.35.0", "Go golang.org/x/net v0.35.0"),
            ("pkg:golang/k8s.io/api@v0.1.0#types/v1", "Go k8s.io/api v0.1.0"),
            ("pkg:golang/a.b/c@v2.0.0%2Bincompatible", "Go a.b/c v2.0.0+incompatible"),
            ("pkg:cargo/tar@0.4.44", "crates.io tar 0.4.44"),
            ("pkg:deb/debian/linux@6.12.48-1?arch=source", "Debian linux 6.12.48-1"),
            ("pkg:deb/debian/libssl3@3.0-1+b2?arch=amd64&distro=trixie&upstream=openssl", "Debian:13 openssl 3.0-1"),
            ("pkg:deb/debian/x@2-1?upstream=y%401-1&distro=debian-12.4", "Debian:12 y 1-1"),
            ("pkg:deb/ubuntu/x@2-1", "deb ubuntu/x 2-1"),
            ("pkg:npm/%40scope/x@1.0.0", "npm @scope/x 1.0.0"),
            ("pkg:npm/@scope/x", "npm @scope/x ?"),
            ("pkg:generic/linux@6.12.48", "Linux Kernel 6.12.48"),
            ("pkg:generic/std@1.95.0", "Rust std 1.95.0"),
            ("pkg:oci/x@sha256%3A00", "oci x sha256:00"),
        ] {
            let identity = identity(purl).unwrap_or_else(|| panic!("{purl}"));
            let version = identity.version.as_deref().unwrap_or("?");
            assert_eq!(format!("{} {} {version}", identity.ecosystem, identity.name), wanted);
        }
        for purl in
            ["", "pkg:", "pkg:golang", "pkg:golang/", "golang/x", "pkg:cargo/%zz", "pkg:cargo/%ff", "pkg:cargo/x@%"]
        {
            assert_eq!(identity(purl), None, "{purl}");
        }
    }

    proptest! {
        /// What this program writes, it reads again.
        #[test]
        fn own_package_urls_are_read_again(name in "[a-z]{1,5}(\\.[a-z]{2})?(/[a-zA-Z0-9.~_-]{1,5}){0,3}", version in "v?[0-9]\\.[0-9a-z.+~-]{1,6}") {
            for ecosystem in ["Go", "crates.io"] {
                let name = if ecosystem == "Go" { name.clone() } else { name.replace('/', "-") };
                let wanted = Identity { ecosystem: ecosystem.into(), name, version: Some(version.clone()) };
                let read = identity(&wanted.purl().unwrap()).unwrap();
                prop_assert!(read.name.eq_ignore_ascii_case(&wanted.name), "{:?}", read);
                prop_assert_eq!(Identity { name: wanted.name.clone(), ..read }, wanted);
            }
        }

        #[test]
        fn any_text_has_an_answer(text in "(pkg:[a-z]{1,3}/)?.{0,40}") {
            let _ = identity(&text);
        }
    }
}
