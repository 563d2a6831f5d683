//! What this program's own account of an image lists, as packages that advisories are about.
//!
//! There are two such accounts: the inventory that is read from the image, and the documents that `orlop sbom` makes of it
//! (CycloneDX, and SPDX in the words of that). All come through here, entry by entry, so that a scan of the one finds what a
//! scan of the other finds. Entries of other people's lists are modules and crates, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use orlop_config::node::PRELOAD;

use super::super::package::{By, Identity, Inventory, Package, Unjudged};
use super::{debian, purl};
use crate::formats::go_binary::Functions;
use crate::sources::debian::without_revision;

/// The ecosystem of package URLs that stand in no registry: `pkg:generic/NAME`.
const GENERIC: &str = "generic";
/// That of container images.
const OCI: &str = "oci";
/// That of packages of archives that are not Debian's.
const DEB: &str = "deb";
/// The input that is the Rust toolchain.
const RUST: &str = "toolchain.rust";

/// Something that is listed.
pub(super) struct Entry<'a> {
    /// Its package URL, where it has one.
    pub purl: Option<&'a str>,
    /// What stands before its name, where that is written apart.
    pub group: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// Its version; empty where it is not known.
    pub version: &'a str,
    /// The files in which its code is: of our own account, by place and path (`root/usr/bin/runc`).
    pub files: Vec<&'a str>,
    /// What it is in the image.
    pub role: Role<'a>,
}

/// What an entry is in an image. What it took part in are keys of components.
pub(super) enum Role<'a> {
    /// A component of the image definition, by its key.
    Component(&'a str),
    /// A library that is linked into components.
    Library(Vec<&'a str>),
    /// What took part in the build, and is not in what was built.
    Tool {
        /// The input's name.
        input: &'a str,
        /// The components that it was used for.
        used_by: Vec<&'a str>,
    },
    /// A module or crate.
    Part {
        /// Whether it is this repository's own.
        own: bool,
    },
}

/// An account that is read, and what comes of it.
#[derive(Default)]
pub(super) struct Account {
    /// What comes of it.
    pub inventory: Inventory,
    /// File → the functions of the Go programs in it. Documents do not say them.
    functions: BTreeMap<String, Arc<Functions>>,
    /// How many entries have no package URL, and nothing in its place.
    pub without: usize,
    unreadable: Vec<String>,
    /// File → its component. Lists of other tools do not say it.
    files: BTreeMap<String, By>,
    /// Key of a component → the file or folder in which it lies, and itself.
    components: BTreeMap<String, (String, By)>,
}

/// Where an entry is.
struct Place {
    path: String,
    by: By,
    functions: Option<Arc<Functions>>,
}

impl Account {
    /// Of an image of which that much is known, with the functions that are in its files.
    pub fn new(inventory: Inventory, functions: BTreeMap<String, Arc<Functions>>) -> Account {
        Account { inventory, functions, ..Account::default() }
    }

    /// Says which files a component of the image definition has, before anything is added.
    pub fn owner(&mut self, key: &str, version: &str, files: &[&str]) {
        let by = By { component: key.to_owned(), version: version.to_owned() };
        let mut paths: Vec<&str> = files.iter().filter_map(|file| file.strip_prefix("root")).collect();
        paths.sort_unstable();
        for path in paths.iter().filter(|path| path.strip_prefix(PRELOAD).is_some_and(|rest| rest.starts_with('/'))) {
            let reason = "a container image that the node imports: its programs are looked at, and the packages of its \
                          distribution are not; scan it by itself";
            self.unjudged(path, key, reason);
        }
        let mut paths = paths.into_iter();
        let path = common(paths.next(), paths.next_back());
        self.files.extend(files.iter().map(|file| ((*file).to_owned(), by.clone())));
        self.components.insert(key.to_owned(), (path, by));
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: &Entry<'_>) {
        match &entry.role {
            // No advisory is about it, whoever else may call a crate by its name.
            Role::Part { own: true } if self.is_ours() => {}
            Role::Part { .. } => {
                if let Some(identity) = self.identity(entry) {
                    self.put(identity, None, entry, &[]);
                }
            }
            Role::Component(key) => self.component(entry, key),
            Role::Library(used_by) => self.library(entry, used_by),
            Role::Tool { input, used_by } => self.tool(entry, input, used_by),
        }
    }

    /// What is not known of a file.
    pub fn gap(&mut self, file: &str, reason: &str) {
        let Some(by) = self.files.get(file) else { return };
        let (path, key) = (in_image(file), by.component.clone());
        self.unjudged(&path, &key, reason);
    }

    /// All that came of it.
    pub fn end(mut self) -> Inventory {
        self.inventory.own = self.is_ours();
        if self.without > 0 {
            let what = format!("{} components", self.without);
            self.unjudged(&what, "", "they have no package URL, and cannot be looked for");
        }
        for purl in std::mem::take(&mut self.unreadable) {
            self.unjudged(&purl, "", "no package URL that can be read");
        }
        self.inventory
    }

    /// Whether it is this program's own account: it says which component has what.
    fn is_ours(&self) -> bool {
        !self.components.is_empty()
    }

    /// A component by itself. What is in no registry, and what is a container image, is known by its programs alone.
    fn component(&mut self, entry: &Entry<'_>, key: &str) {
        let Some(identity) = self.identity(entry) else { return };
        match &*identity.ecosystem {
            GENERIC | OCI => {}
            DEB => self.unjudged(&identity.name, key, "a package of an archive that is not Debian's"),
            debian::ECOSYSTEM => {
                let suite = entry.purl.and_then(purl::distribution).unwrap_or_default();
                let reason = format!("a package of Debian's suite {suite:?}, whose number is not known here");
                self.unjudged(&identity.name, key, &reason);
            }
            _ => {
                let otherwise = debian::upstream(&identity);
                self.put(identity, otherwise, entry, &[key]);
            }
        }
    }

    /// A library is compiled as its upstream made it: what Debian mended by a patch is not in it, whatever Debian's version
    /// says. What comes from elsewhere than Debian (a toolchain's musl) has no ecosystem that advisories are about.
    fn library(&mut self, entry: &Entry<'_>, used_by: &[&str]) {
        match self.identity(entry).filter(|identity| ![GENERIC, DEB].contains(&&*identity.ecosystem)) {
            Some(mut identity) => {
                if debian::is(&identity) {
                    let upstream = identity.version.as_deref().map(without_revision);
                    identity.version = upstream.map(str::to_owned);
                }
                self.put(identity, None, entry, used_by);
            }
            None => {
                let what = format!("{} {}", entry.name, entry.version);
                self.unjudged(&what, &used_by.join(", "), "linked in: no ecosystem of advisories has it");
            }
        }
    }

    /// The standard library in each component that a Rust toolchain compiled. No list of crates has it, and RustSec files its
    /// flaws under an ecosystem of its own. Of other tools nothing is in the image.
    fn tool(&mut self, entry: &Entry<'_>, input: &str, used_by: &[&str]) {
        if input != RUST {
            return;
        }
        let version = Some(entry.version.to_owned()).filter(|version| !version.is_empty());
        let std = Identity { ecosystem: "Rust".into(), name: "std".into(), version };
        let places: Vec<Place> = used_by.iter().filter_map(|key| self.of_component(key)).collect();
        self.push(&std, None, places);
    }

    /// What advisories call an entry; `None`, and noted, for a package URL that is none.
    fn identity(&mut self, entry: &Entry<'_>) -> Option<Identity> {
        let text = entry.purl?;
        let Some(mut identity) = purl::identity(text) else {
            self.unreadable.push(text.to_owned());
            return None;
        };
        // Package URLs of Go have small letters only, and advisories have a module's own.
        let grouped = entry.group.map(|group| format!("{group}/{}", entry.name));
        let names = [Some(entry.name), grouped.as_deref()];
        if let Some(own) = names.into_iter().flatten().find(|name| identity.name.eq_ignore_ascii_case(name)) {
            identity.name = own.to_owned();
        }
        let version = identity.version.take().unwrap_or_else(|| entry.version.to_owned());
        identity.version = Some(version).filter(|version| !version.is_empty());
        Some(identity)
    }

    /// Adds a package at each of its places: in files and components of the image; in those of other tools' lists, where the
    /// first of its places is.
    fn put(&mut self, identity: Identity, otherwise: Option<Identity>, entry: &Entry<'_>, keys: &[&str]) {
        let mut places: Vec<Place> = entry.files.iter().filter_map(|file| self.of_file(file)).collect();
        if places.is_empty() {
            places = keys.iter().filter_map(|key| self.of_component(key)).collect();
        }
        if places.is_empty() {
            let by = By { component: self.inventory.image.clone(), version: self.inventory.version.clone() };
            let path = entry.files.first().map_or_else(String::new, |file| (*file).to_owned());
            places.push(Place { path, by, functions: None });
        }
        self.push(&identity, otherwise.as_ref(), places);
    }

    fn push(&mut self, identity: &Identity, otherwise: Option<&Identity>, places: Vec<Place>) {
        let package = |Place { path, by, functions }: Place| Package {
            identity: identity.clone(),
            otherwise: otherwise.cloned(),
            by,
            path,
            // Those of Go programs, which say nothing of anything else in their file.
            functions: functions.filter(|_| identity.ecosystem == "Go"),
        };
        self.inventory.packages.extend(places.into_iter().map(package));
    }

    fn of_file(&self, file: &str) -> Option<Place> {
        let by = self.files.get(file)?.clone();
        Some(Place { path: in_image(file), by, functions: self.functions.get(file).cloned() })
    }

    fn of_component(&self, key: &str) -> Option<Place> {
        let (path, by) = self.components.get(key)?.clone();
        Some(Place { path, by, functions: None })
    }

    fn unjudged(&mut self, what: &str, component: &str, reason: &str) {
        let (what, component, reason) = (what.to_owned(), component.to_owned(), reason.to_owned());
        self.inventory.unjudged.push(Unjudged { what, component, reason });
    }
}

/// `root/usr/bin/runc` is called `/usr/bin/runc` in a scan, `initramfs/init` is `initramfs:/init`.
fn in_image(file: &str) -> String {
    match file.split_once('/') {
        Some(("root", path)) => format!("/{path}"),
        Some((place, path)) => format!("{place}:/{path}"),
        None => file.to_owned(),
    }
}

/// The folder that a component's first and last file have in common, or its only file.
fn common(first: Option<&str>, last: Option<&str>) -> String {
    let (Some(first), Some(last)) = (first, last) else { return first.or(last).unwrap_or_default().to_owned() };
    let same = first.split('/').zip(last.split('/')).take_while(|(a, b)| a == b).map(|(part, _)| part);
    let folder = same.collect::<Vec<_>>().join("/");
    if folder.is_empty() { first.to_owned() } else { format!("{folder}/") }
}

/// Go's name of an architecture.
pub(super) fn architecture(name: &str) -> Option<String> {
    match name {
        "x86_64" => Some("amd64".into()),
        "aarch64" => Some("arm64".into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_their_paths_on_the_node() {
        for (file, wanted) in
            [("root/usr/bin/runc", "/usr/bin/runc"), ("initramfs/init", "initramfs:/init"), ("odd", "odd")]
        {
            assert_eq!(in_image(file), wanted);
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
