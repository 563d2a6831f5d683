//! What a document of `orlop sbom` says beside what every list does: which component of the image definition has what in
//! which file, what is linked in, which toolchain compiled it, and what is not known of a file.

use super::super::account::{Account, Entry, Role};
use super::Component;
use crate::inventory::Source;

/// The component of the image definition that a component of the document is.
pub(super) const COMPONENT: &str = "orlop:component";
/// The input of the build that a component of the document is.
pub(super) const INPUT: &str = "orlop:input";
/// The component of the image definition that an input took part in.
pub(super) const USED_BY: &str = "orlop:used-by";
/// Where the code of a module or crate came from.
pub(super) const SOURCE: &str = "orlop:source";
/// What is not known of a file.
pub(super) const UNKNOWN: &str = "orlop:unknown";
/// The image's architecture.
pub(super) const ARCHITECTURE: &str = "orlop:architecture";

/// Says which component of the image definition has which files; nothing, where it is not a document of `orlop sbom`.
pub(super) fn owners(components: &[Component], account: &mut Account) {
    for component in components {
        let Some(key) = component.values(COMPONENT).next() else { continue };
        let files: Vec<&str> = component.components.iter().flatten().filter_map(Component::file).collect();
        account.owner(key, component.version.as_deref().unwrap_or_default(), &files);
    }
}

impl Component {
    /// What it is in the image.
    pub(super) fn role(&self) -> Role<'_> {
        let used_by = || self.values(USED_BY).collect();
        let input = self.values(INPUT).next();
        match self.values(COMPONENT).next() {
            _ if self.scope.as_deref() == Some("excluded") => {
                Role::Tool { input: input.unwrap_or_default(), used_by: used_by() }
            }
            Some(key) => Role::Component(key),
            None if input.is_some() => Role::Library(used_by()),
            None => Role::Part { own: self.values(SOURCE).any(|source| Source::Own.name() == Some(source)) },
        }
    }

    /// The entry that it is.
    pub(super) fn entry<'a>(&'a self, role: Role<'a>) -> Entry<'a> {
        Entry {
            purl: self.purl.as_deref(),
            group: self.group.as_deref(),
            name: &self.name,
            version: self.version.as_deref().unwrap_or_default(),
            files: self.locations(),
            role,
        }
    }

    /// Adds what the document says that it does not know of a file.
    pub(super) fn gaps(&self, account: &mut Account) {
        let Some(file) = self.file() else { return };
        self.values(UNKNOWN).for_each(|reason| account.gap(file, reason));
    }

    /// The architecture of the image that it is.
    pub(super) fn architecture(&self) -> Option<&str> {
        self.values(ARCHITECTURE).next()
    }

    /// The file that it is, by place and path.
    fn file(&self) -> Option<&str> {
        self.bom_ref.as_deref()?.strip_prefix("file:")
    }
}
