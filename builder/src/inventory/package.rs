//! Names that other people's tools know a package by: package URLs and CPEs.

use super::known::known;
use super::origin::{DebianPackage, Origin, SourcePackage, parse};
use crate::formats::purl::{encoded, encoded_path};
use crate::sources::OWN_LICENCE;
use crate::sources::debian::without_revision;

/// What others know a package by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its package URL.
    pub purl: Option<String>,
    /// Its CPE, where vulnerability databases file it under one.
    pub cpe: Option<String>,
    /// The licence that it declares, an SPDX expression.
    pub licence: Option<&'static str>,
}

impl Identity {
    /// Of a component or an input.
    pub fn of(name: &str, version: &str, origin: &Origin, sha256: &str) -> Identity {
        // A binary package is known by its source.
        let subject = match origin {
            Origin::Debian(package) => package.sources.first().map_or(name, |source| &source.name),
            _ => name,
        };
        let own = matches!(origin, Origin::Workspace | Origin::Image).then_some(OWN_LICENCE);
        Identity {
            purl: of_origin(name, version, origin, sha256),
            cpe: cpe(subject, version),
            licence: own.or_else(|| known(subject)?.licence),
        }
    }

    /// Of a module or crate.
    pub fn of_part(part: &super::Part) -> Identity {
        let licence = known(&part.name).and_then(|known| known.licence);
        Identity { purl: Some(part.purl()), cpe: cpe(&part.name, &part.version), licence }
    }
}

/// The package URL of an input of a lockfile; a file beside the definition has none.
pub fn package_url(input: &orlop_config::lockfile::Input) -> Option<String> {
    let origin = parse(&input.name, &input.version, &input.origin, Some(&input.kind));
    of_origin(&input.name, &input.version, &origin, &input.sha256)
}

/// A package URL (purl-spec, ECMA-427): `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS`.
///
/// `name` is namespace and name, with `/` between their parts; qualifiers are sorted by their names, and empty ones left out.
/// What a type writes in lowercase is for the caller to write so.
pub(super) fn purl(kind: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let mut url = format!("pkg:{kind}/{}", encoded_path(name));
    if !version.is_empty() {
        url = format!("{url}@{}", encoded(version));
    }
    let mut qualifiers: Vec<_> = qualifiers.iter().filter(|(_, value)| !value.is_empty()).collect();
    qualifiers.sort();
    let qualifiers: Vec<_> = qualifiers.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if qualifiers.is_empty() { url } else { format!("{url}?{}", qualifiers.join("&")) }
}

/// A Go module's package URL. Its type knows no capital letters, whatever the module's own name has.
pub(super) fn go(module: &str, version: &str) -> String {
    purl("golang", &module.to_ascii_lowercase(), version, &[])
}

/// The package URL of a component or an input.
fn of_origin(name: &str, version: &str, origin: &Origin, sha256: &str) -> Option<String> {
    Some(match origin {
        Origin::Debian(package) => debian(name, version, package),
        Origin::DebianSource { vendor, distribution } => debian_source(name, version, (vendor, distribution)),
        Origin::Go => go(name, version),
        Origin::Wheel => purl("pypi", &name.to_ascii_lowercase().replace('_', "-"), version, &[]),
        Origin::Workspace | Origin::Toolchain => purl("generic", name, version, &[]),
        Origin::Url(url) => {
            let checksum = format!("sha256:{sha256}");
            let checksum = if sha256.is_empty() { "" } else { &checksum };
            purl("generic", name, version, &[("download_url", url), ("checksum", checksum)])
        }
        Origin::Oci(_) => {
            let short = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
            let digest = if sha256.is_empty() { String::new() } else { format!("sha256:{sha256}") };
            purl("oci", &short, &digest, &[("repository_url", &name.to_ascii_lowercase()), ("tag", version)])
        }
        Origin::Image | Origin::File(_) | Origin::Other(_) => return None,
    })
}

fn debian(name: &str, version: &str, package: &DebianPackage) -> String {
    let source = package.sources.first();
    // Scanners look a binary package's flaws up under its source.
    let upstream = source.filter(|source| source.name != name || source.version != version);
    let upstream = upstream.map_or(String::new(), |source| match source.version == version {
        true => source.name.clone(),
        false => format!("{}@{}", source.name, source.version),
    });
    let qualifiers = [("arch", &*package.architecture), ("distro", &package.distribution), ("upstream", &upstream)];
    purl("deb", &format!("{}/{name}", package.vendor), version, &qualifiers)
}

/// The package URL of a source package of this binary one.
pub fn source_purl(source: &SourcePackage, of: &DebianPackage) -> String {
    debian_source(&source.name, &source.version, (&of.vendor, &of.distribution))
}

fn debian_source(name: &str, version: &str, (vendor, distribution): (&str, &str)) -> String {
    purl("deb", &format!("{vendor}/{name}"), version, &[("arch", "source"), ("distro", distribution)])
}

/// A CPE 2.3 formatted string (NIST IR 7695), for what scanners look for by such a name.
fn cpe(name: &str, version: &str) -> Option<String> {
    let (part, vendor, product) = known(name)?.cpe?;
    let version = upstream_version(version);
    // All but letters, digits and `_` is quoted; `.` and `-` are not in the version, where everybody leaves them.
    let quoted: String = version
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || "._-".contains(c) => c.to_string(),
            c => format!("\\{c}"),
        })
        .collect();
    let quoted = if quoted.is_empty() { "*" } else { &quoted };
    Some(format!("cpe:2.3:{part}:{vendor}:{product}:{quoted}:*:*:*:*:*:*:*"))
}

/// The version without what a distribution or Go puts around it: `1:6.12.117-1` → `6.12.117`, `v1.5.2` → `1.5.2`.
fn upstream_version(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    if let Some(rest) = version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        return rest.split('+').next().unwrap_or(rest);
    }
    without_revision(version)
}

#[cfg(test)]
mod tests {
    use super::super::origin;
    use super::*;

    fn of(name: &str, version: &str, text: &str, kind: &str, sha256: &str) -> Option<String> {
        of_origin(name, version, &origin::parse(name, version, text, Some(kind)), sha256)
    }

    #[test]
    fn package_urls_are_those_of_the_specification() {
        let kernel =
            "Debian trixie pool/main/l/linux-signed-amd64/linux-image-6.12.1+deb13-cloud-amd64_6.12.1-1_amd64.deb";
        let rows = [
            (
                of("linux-image-6.12.1+deb13-cloud-amd64", "6.12.1-1", kernel, "deb", ""),
                "pkg:deb/debian/linux-image-6.12.1%2Bdeb13-cloud-amd64@6.12.1-1?arch=amd64&distro=debian-13&upstream=linux",
            ),
            (
                of(
                    "ca-certificates",
                    "20250419+deb13u1",
                    "Debian trixie pool/main/c/ca-certificates/ca-certificates_20250419+deb13u1_all.deb",
                    "deb",
                    "",
                ),
                "pkg:deb/debian/ca-certificates@20250419%2Bdeb13u1?arch=all&distro=debian-13",
            ),
            (
                of(
                    "libseccomp",
                    "2.6.0-2",
                    "Debian trixie pool/main/libs/libseccomp/libseccomp_2.6.0.orig.tar.gz",
                    "deb-source",
                    "",
                ),
                "pkg:deb/debian/libseccomp@2.6.0-2?arch=source&distro=debian-13",
            ),
            (
                of(
                    "github.com/Masterminds/x",
                    "v1.0.0+incompatible",
                    "github.com/Masterminds/x@v1.0.0+incompatible",
                    "go",
                    "",
                ),
                "pkg:golang/github.com/masterminds/x@v1.0.0%2Bincompatible",
            ),
            (
                of("tool", "2-1", "Other CE noble pool/main/t/tool/tool_2-1_amd64.deb", "deb", ""),
                "pkg:deb/other-ce/tool@2-1?arch=amd64&distro=noble",
            ),
            (of("ziglang", "0.17.1", "ziglang==0.17.1", "wheel", ""), "pkg:pypi/ziglang@0.17.1"),
            (of("orlop-init", "0.1.0", "orlop 0.1.0", "workspace", "ab"), "pkg:generic/orlop-init@0.1.0"),
            (
                of("tool", "1", "https://example.org/a b.tar", "url", "ab"),
                "pkg:generic/tool@1?checksum=sha256:ab&download_url=https:%2F%2Fexample.org%2Fa%20b.tar",
            ),
            (
                of("example.org/team/pause", "3.10", "example.org/team/pause:3.10@sha256:ab", "oci", "ab"),
                "pkg:oci/pause@sha256:ab?repository_url=example.org%2Fteam%2Fpause&tag=3.10",
            ),
        ];
        for (found, expected) in rows {
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(of("motd", "1", "motd", "file", "ab"), None);
    }

    #[test]
    fn a_cpe_has_upstreams_version() {
        let rows = [
            ("linux", "6.12.117-1", "cpe:2.3:o:linux:linux_kernel:6.12.117:*:*:*:*:*:*:*"),
            ("github.com/opencontainers/runc", "v1.5.2", "cpe:2.3:a:linuxfoundation:runc:1.5.2:*:*:*:*:*:*:*"),
            ("systemd", "257.13-1~deb13u1", "cpe:2.3:a:systemd_project:systemd:257.13:*:*:*:*:*:*:*"),
            ("linux", "1:6.12~rc1-1", "cpe:2.3:o:linux:linux_kernel:6.12\\~rc1:*:*:*:*:*:*:*"),
        ];
        for (name, version, expected) in rows {
            assert_eq!(cpe(name, version).as_deref(), Some(expected));
        }
        assert_eq!(cpe("musl", "").as_deref(), Some("cpe:2.3:a:musl-libc:musl:*:*:*:*:*:*:*:*"));
        assert_eq!(cpe("github.com/nobody/knows", "v1.0.0"), None);
    }
}
