//! What a document of `orlop sbom` says beside what every list does: which component of the image definition has what in
//! which file, what is linked in, which toolchain compiled it, and what is not known of a file. With that a scan of it
//! comes to what a scan of the image comes to.

use std::collections::BTreeMap;

use super::{Component, List};
use crate::scan::package::{By, Identity, Unjudged};
use crate::scan::packages::{crates, debian, purl};

/// The component of the image definition that a component of the document is.
pub(super) const COMPONENT: &str = "orlop:component";
/// The input of the build that a component of the document is.
pub(super) const INPUT: &str = "orlop:input";
/// The component of the image definition that an input took part in.
pub(super) const USED_BY: &str = "orlop:used-by";
/// What is not known of a file.
pub(super) const UNKNOWN: &str = "orlop:unknown";
/// The input that is the Rust toolchain.
const RUST: &str = "toolchain.rust";
/// The ecosystem of package URLs that stand in no registry: `pkg:generic/NAME`.
const GENERIC: &str = "generic";

/// Which component of the image definition has what.
#[derive(Default)]
pub(super) struct Owners {
    /// File, by place and path (`root/usr/bin/runc`) → its component.
    files: BTreeMap<String, By>,
    /// Key of a component → the file or folder in which it lies, and itself.
    components: BTreeMap<String, (String, By)>,
}

impl Owners {
    /// Of a document's components; nothing, where it is not one of `orlop sbom`.
    pub(super) fn of(components: &[Component]) -> Owners {
        let mut owners = Owners::default();
        for component in components {
            let Some(key) = component.values(COMPONENT).next() else { continue };
            let by = By { component: key.to_owned(), version: component.version.clone().unwrap_or_default() };
            let files: Vec<&str> = component.components.iter().flatten().filter_map(Component::file).collect();
            // As a scan of the image has it: by the paths of the root, in their order.
            let mut paths: Vec<&str> = files.iter().filter_map(|file| file.strip_prefix("root")).collect();
            paths.sort_unstable();
            let mut paths = paths.into_iter();
            let path = debian::common(paths.next(), paths.next_back());
            owners.files.extend(files.iter().map(|file| ((*file).to_owned(), by.clone())));
            owners.components.insert(key.to_owned(), (path, by));
        }
        owners
    }

    /// Whether it is no document of `orlop sbom`.
    pub(super) fn is_empty(&self) -> bool {
        self.components.is_empty()
    }

    /// What a scan of the image calls a file, and the component that it belongs to.
    pub(super) fn file(&self, file: &str) -> Option<(String, By)> {
        Some((in_image(file), self.files.get(file)?.clone()))
    }

    /// Where a component lies, and itself.
    pub(super) fn component(&self, key: &str) -> Option<(String, By)> {
        self.components.get(key).cloned()
    }
}

impl List {
    /// A component of the image definition, or a library that is linked into one.
    pub(super) fn own(&mut self, component: &Component) {
        let generic = |purl: &str| purl::identity(purl).is_some_and(|identity| identity.ecosystem == GENERIC);
        if !component.purl.as_deref().is_none_or(generic) {
            self.component(component);
        } else if component.values(COMPONENT).next().is_none() {
            let version = component.version.as_deref().unwrap_or_default();
            self.inventory.unjudged.push(Unjudged {
                what: format!("{} {version}", component.name),
                component: component.values(USED_BY).collect::<Vec<_>>().join(", "),
                reason: "linked in: no ecosystem of advisories has it".into(),
            });
        }
        // Of a component that is in no registry, what is known stands at its programs.
    }

    /// The standard library in what a Rust toolchain compiled. The toolchain itself is not in the image, and is not judged.
    pub(super) fn toolchain(&mut self, component: &Component) {
        if !component.values(INPUT).any(|key| key == RUST) {
            return;
        }
        let std = crates::std(component.version.as_deref().unwrap_or_default());
        let places: Vec<_> = component.values(USED_BY).filter_map(|key| self.owners.component(key)).collect();
        for (path, by) in places {
            self.push(std.clone(), None, path, by);
        }
    }

    /// What the document says that it does not know of a file.
    pub(super) fn gaps(&mut self, component: &Component) {
        let Some((path, by)) = component.file().and_then(|file| self.owners.file(file)) else { return };
        let gap =
            |reason: &str| Unjudged { what: path.clone(), component: by.component.clone(), reason: reason.to_owned() };
        self.inventory.unjudged.extend(component.values(UNKNOWN).map(gap));
    }
}

impl Component {
    /// Whether it is a component of the image definition or an input of the build.
    pub(super) fn is_own(&self) -> bool {
        self.values(COMPONENT).chain(self.values(INPUT)).next().is_some()
    }

    /// The components of the image definition that it is or is in.
    pub(super) fn of_components(&self) -> impl Iterator<Item = &str> {
        self.values(COMPONENT).chain(self.values(USED_BY))
    }

    /// Makes of a Debian package what a scan of the image makes of it, and returns its other name: what is linked in was
    /// compiled without Debian's patches, and Debian's kernel is a release of Linux. Of other lists neither is known.
    pub(super) fn judged_as_in_the_image(&self, identity: &mut Identity) -> Option<Identity> {
        if identity.ecosystem.split(':').next() != Some(debian::ECOSYSTEM) {
            return None;
        }
        if self.values(INPUT).next().is_some() {
            identity.version = identity.version.as_deref().map(|version| debian::upstream_version(version).to_owned());
        }
        self.values(COMPONENT).next().and_then(|_| debian::upstream(identity))
    }

    /// The file that it is, by place and path.
    fn file(&self) -> Option<&str> {
        self.bom_ref.as_deref()?.strip_prefix("file:")
    }
}

/// `root/usr/bin/runc` is what a scan of the image calls `/usr/bin/runc`, `initramfs/init` is `initramfs:/init`.
fn in_image(file: &str) -> String {
    match file.split_once('/') {
        Some(("root", path)) => format!("/{path}"),
        Some((place, path)) => format!("{place}:/{path}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_as_a_scan_of_the_image_calls_them() {
        for (file, wanted) in
            [("root/usr/bin/runc", "/usr/bin/runc"), ("initramfs/init", "initramfs:/init"), ("odd", "odd")]
        {
            assert_eq!(in_image(file), wanted);
        }
    }
}
