//! What differs between two images: components, what took part in their build, modules and crates, files, the kernel's command
//! line, sysctls. A pure function of two inventories.

#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::inventory::{File, ImageFacts, Input, Inventory, Kind};
use crate::surface::NumberChange;

pub use text::text;

/// What differs. All lists are sorted; what is equal is in none.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The first image.
    pub before: Image,
    /// The second image.
    pub after: Image,
    /// Facts about the image as a whole.
    pub image: Vec<Change>,
    /// Component → version; of two with one version, the input's SHA-256.
    pub components: Vec<Change>,
    /// The same of toolchains, tools and libraries.
    pub inputs: Vec<Change>,
    /// Module or crate, by its package URL without a version → versions.
    pub parts: Vec<Change>,
    /// Files and links, by place and path.
    pub files: Vec<FileChange>,
    /// Words of the kernel's command line.
    pub command_line: Vec<Change>,
    /// Sysctl → value.
    pub sysctls: Vec<Change>,
    /// The numbers of what the images expose, where they were counted: an inventory alone does not say them.
    pub surface: Vec<NumberChange>,
}

/// One of the two.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its files.
    pub files: usize,
    /// Bytes of its files, before compression.
    pub bytes: u64,
}

/// Something that one of them has, or that both have otherwise.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What.
    pub what: String,
    /// In the first.
    pub before: Option<String>,
    /// In the second.
    pub after: Option<String>,
}

/// A file that one of them has, or that both have otherwise.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Place and path.
    pub file: String,
    /// In the first.
    pub before: Option<FileState>,
    /// In the second.
    pub after: Option<FileState>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileState {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: String,
    /// The component that it came from.
    pub component: String,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        let Difference { image, components, inputs, parts, files, command_line, sysctls, surface, .. } = self;
        let changes = [image, components, inputs, parts, command_line, sysctls];
        files.is_empty() && surface.is_empty() && changes.iter().all(|list| list.is_empty())
    }
}

/// Compares two images.
pub fn compare(before: &Inventory, after: &Inventory) -> Difference {
    let both = |of: &dyn Fn(&Inventory) -> BTreeMap<String, String>| changes(&of(before), &of(after));
    Difference {
        before: image(before),
        after: image(after),
        image: both(&|one| facts(&one.image)),
        components: both(&components),
        inputs: both(&inputs),
        parts: both(&parts),
        files: files(&states(before), &states(after)),
        command_line: both(&|one| words(&one.image.command_line)),
        sysctls: both(&|one| one.image.sysctls.clone()),
        surface: Vec::new(),
    }
}

fn image(inventory: &Inventory) -> Image {
    Image {
        name: inventory.image.name.clone(),
        version: inventory.image.version.clone(),
        files: inventory.files.len(),
        bytes: inventory.files.iter().map(|file| file.size).sum(),
    }
}

fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| Change {
        what: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    names.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

fn facts(image: &ImageFacts) -> BTreeMap<String, String> {
    let ImageFacts { name, version, architecture, class, kernel, root_hash, .. } = image;
    let rows = [
        ("architecture", architecture),
        ("class", class),
        ("kernel", kernel),
        ("name", name),
        ("root hash", root_hash),
        ("version", version),
    ];
    rows.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// Versions, with as much of the digest as tells two with one version apart.
fn versioned(version: &str, sha256: &str) -> String {
    match sha256.get(..12) {
        Some(digest) => format!("{version} ({digest})"),
        None => version.into(),
    }
}

fn components(inventory: &Inventory) -> BTreeMap<String, String> {
    let row = |(key, one): (&String, &crate::inventory::Component)| (key.clone(), versioned(&one.version, &one.sha256));
    inventory.components.iter().map(row).collect()
}

fn inputs(inventory: &Inventory) -> BTreeMap<String, String> {
    let row = |(key, one): (&String, &Input)| (key.clone(), versioned(&one.version, &one.sha256));
    inventory.inputs.iter().map(row).collect()
}

/// A module may be there in several versions, of several programs.
fn parts(inventory: &Inventory) -> BTreeMap<String, String> {
    let mut versions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (key, part) in &inventory.parts {
        let name = key.split('@').next().unwrap_or(key);
        let version = if part.version.is_empty() { "of no known version" } else { &part.version };
        versions.entry(name.into()).or_default().insert(version);
    }
    let joined = |versions: BTreeSet<&str>| versions.into_iter().collect::<Vec<_>>().join(", ");
    versions.into_iter().map(|(name, versions)| (name, joined(versions))).collect()
}

/// Each word as its own name: a word that changed is one that went and one that came. A word that stands there twice has its number.
fn words(command_line: &str) -> BTreeMap<String, String> {
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    for word in command_line.split_whitespace() {
        let count = words.get(word).and_then(|count| count.parse::<u32>().ok()).unwrap_or(0);
        words.insert(word.into(), (count + 1).to_string());
    }
    words
}

fn states(inventory: &Inventory) -> BTreeMap<String, FileState> {
    let state = |file: &File| FileState {
        size: file.size,
        sha256: file.sha256.clone(),
        component: file.component.clone(),
        target: match &file.kind {
            Kind::Link(target) => Some(target.clone()),
            Kind::Program | Kind::Archive | Kind::Data => None,
        },
    };
    inventory.files.iter().map(|file| (file.name(), state(file))).collect()
}

fn files(before: &BTreeMap<String, FileState>, after: &BTreeMap<String, FileState>) -> Vec<FileChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| FileChange {
        file: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    names.into_iter().map(change).filter(|change| change.before != change.after).collect()
}
