//! Debian's packages, by the components' origins: `Debian trixie pool/main/l/linux-signed-amd64/linux-image-…_amd64.deb`.

use super::super::package::{By, Identity, Package, Unjudged};
use crate::sources::debian::{Origin, release, signed, source_version};
use crate::tree::Components;

/// As advisories call it, with or without a release.
pub(super) const ECOSYSTEM: &str = "Debian";

/// The packages that components came from, and those whose release has no number here.
pub(super) fn packages(components: &Components) -> (Vec<Package>, Vec<Unjudged>) {
    let (mut packages, mut unjudged) = (Vec::new(), Vec::new());
    for (component, record) in &components.components {
        let Some((suite, source)) = origin(&record.origin) else {
            if record.origin.ends_with(".deb") {
                let reason = format!("a package of an archive that is not Debian's: {}", record.origin);
                unjudged.push(Unjudged { what: record.name.clone(), component: component.clone(), reason });
            }
            continue;
        };
        let Some(release) = release(suite) else {
            let reason = format!("a package of Debian's suite {suite:?}, whose number is not known here");
            unjudged.push(Unjudged { what: source.to_owned(), component: component.clone(), reason });
            continue;
        };
        let version = source_version(&record.version).to_owned();
        let name = signed(source).unwrap_or(source);
        let identity =
            Identity { ecosystem: format!("{ECOSYSTEM}:{release}"), name: name.to_owned(), version: Some(version) };
        packages.push(Package {
            otherwise: upstream(&identity),
            identity,
            by: By { component: component.clone(), version: record.version.clone() },
            path: path(components, component),
            functions: None,
        });
    }
    let (libraries, others) = libraries(components);
    packages.extend(libraries);
    unjudged.extend(others);
    (packages, unjudged)
}

/// Debian's sources that are linked into components. They are compiled as upstream made them: what Debian mended by a patch
/// is not in them, whatever Debian's version says. What is linked and comes from elsewhere (a toolchain's musl) has no
/// ecosystem that advisories are about.
fn libraries(components: &Components) -> (Vec<Package>, Vec<Unjudged>) {
    let (mut packages, mut unjudged) = (Vec::new(), Vec::new());
    for input in components.inputs.values().filter(|input| input.linked) {
        let Some((suite, source)) = source_of_archive(&input.origin) else {
            unjudged.push(Unjudged {
                what: format!("{} {}", input.name, input.version),
                component: input.used_by.join(", "),
                reason: format!("linked in, out of {}: no ecosystem of advisories has it", input.origin),
            });
            continue;
        };
        let ecosystem = release(suite).map_or_else(|| ECOSYSTEM.into(), |number| format!("{ECOSYSTEM}:{number}"));
        let version = upstream_version(&input.version).to_owned();
        let identity = Identity { ecosystem, name: source.to_owned(), version: Some(version) };
        packages.extend(input.used_by.iter().map(|component| Package {
            identity: identity.clone(),
            otherwise: None,
            by: By {
                component: component.clone(),
                version: components.components.get(component).map_or_else(String::new, |of| of.version.clone()),
            },
            path: path(components, component),
            functions: None,
        }));
    }
    (packages, unjudged)
}

/// What others call Debian's kernel: the release of Linux that it is made of.
pub(super) fn upstream(package: &Identity) -> Option<Identity> {
    let release = |version: &str| version.split('-').next().unwrap_or_default().to_owned();
    (package.name == "linux").then(|| Identity {
        ecosystem: "Linux".into(),
        name: "Kernel".into(),
        version: package.version.as_deref().map(release),
    })
}

/// A version without Debian's revision: `2.6.0-2` → `2.6.0`.
pub(super) fn upstream_version(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// The file or folder in which a component lies.
pub(super) fn path(components: &Components, component: &str) -> String {
    let mut paths = components.paths.iter().filter(|(_, of)| *of == component).map(|(path, _)| path.as_str());
    common(paths.next(), paths.next_back())
}

/// As [`origin`], of an upstream archive.
fn source_of_archive(text: &str) -> Option<(&str, &str)> {
    of_debian(text).filter(|origin| origin.path.contains(".orig.tar")).and_then(suite_and_source)
}

/// The suite, and the source package.
fn origin(text: &str) -> Option<(&str, &str)> {
    of_debian(text).filter(|origin| origin.path.ends_with(".deb")).and_then(suite_and_source)
}

/// Advisories of Debian are about what Debian's own archives have.
fn of_debian(text: &str) -> Option<Origin<'_>> {
    Origin::parse(text).filter(|origin| origin.label.starts_with("Debian"))
}

fn suite_and_source(origin: Origin<'_>) -> Option<(&str, &str)> {
    let source = origin.source();
    (!source.is_empty()).then_some((origin.suite, source))
}

/// The folder that a component's first and last file have in common, or its only file.
pub(super) fn common(first: Option<&str>, last: Option<&str>) -> String {
    let (Some(first), Some(last)) = (first, last) else { return first.or(last).unwrap_or_default().to_owned() };
    let same = first.split('/').zip(last.split('/')).take_while(|(a, b)| a == b).map(|(part, _)| part);
    let folder = same.collect::<Vec<_>>().join("/");
    if folder.is_empty() { first.to_owned() } else { format!("{folder}/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_path_names_the_source_package() {
        let kernel =
            "Debian trixie pool/main/l/linux-signed-amd64/linux-image-6.12.117+deb13-cloud-amd64_6.12.117-1_amd64.deb";
        assert_eq!(origin(kernel), Some(("trixie", "linux-signed-amd64")));
        // As `images/cluster.lock` has it.
        let kernel =
            "Debian-Security trixie-security pool/updates/main/l/linux-signed-amd64/linux-image_6.12.117-1_amd64.deb";
        assert_eq!(origin(kernel), Some(("trixie-security", "linux-signed-amd64")));
        for other in [
            "Ubuntu noble pool/main/l/linux/linux_1_amd64.deb",
            "k8s.io/kubernetes@v1.37.2",
            "Debian",
            "Debian trixie x.deb",
            "Debian trixie /x.deb",
            "Debian trixie pool/x/y.tar",
        ] {
            assert_eq!(origin(other), None, "{other}");
        }
    }

    #[test]
    fn files_are_named_by_what_they_have_in_common() {
        assert_eq!(common(None, None), "");
        assert_eq!(common(Some("/etc/a"), None), "/etc/a");
        assert_eq!(common(Some("/usr/lib/modules/a/b"), Some("/usr/lib/modules/c")), "/usr/lib/modules/");
        assert_eq!(common(Some("/a"), Some("/b")), "/a");
    }
}
