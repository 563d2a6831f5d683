//! Reads an inventory out of an image.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orlop_chain::{Refusal, Stage};
use orlop_config::node::{FIXED, ModuleLists, NODE_SETTINGS, PRELOAD};
use serde::Deserialize;

use super::content::Content;
use super::go::Fetched;
use super::origin::{Origin, parse};
use super::owners::{MODULES, Owners, STUB_VERSION};
use super::parts::{self, Found};
use super::{Component, File, ImageFacts, Input, Inventory, InventoryError, Kind, Place};
use crate::formats::{cpio, erofs, pe};
use crate::image::open::{Cursor, Image, UKI_PATH, Uki};
use crate::image::opened::{self, Opened};
use crate::tree::{Components, Fixed, IMAGE};

/// Who may run a file.
const EXECUTE: u32 = 0o111;
/// Documents of the root that say more of an image than what it is made of.
const DOCUMENTS: [&str; 2] = [FIXED, NODE_SETTINGS];
/// Why the second of two with one name is nobody's.
const TWICE: &str = " (there are two with that name)";

/// Reads an image. Nothing is verified (`orlop verify` does that), and nothing beside the image is looked at.
pub fn read(path: &Path) -> anyhow::Result<Inventory> {
    of(&Opened::open(path)?)
}

/// Reads an image that is open.
pub fn of(opened: &Opened) -> anyhow::Result<Inventory> {
    let Opened { image, uki, boot, .. } = opened;
    let mut content = opened.root()?;
    let document = opened::components(&mut content)?;
    let sections = sections(uki)?;
    let text = |name: &str| sections.get(name).map(|bytes| text(bytes)).unwrap_or_default();
    let mut reading = Reading {
        owners: Owners::new(&document, &text(".uname"), &text(STUB_VERSION)),
        inventory: Inventory {
            image: ImageFacts {
                name: boot.image.clone(),
                version: boot.image_version.clone(),
                architecture: boot.architecture.clone(),
                class: boot.class.clone(),
                root_hash: boot.verity.root_hash.clone(),
                uki_sha256: Content::of(&uki.bytes).hashes().1,
                kernel: text(".uname"),
                command_line: uki.command_line.clone(),
                sysctls: BTreeMap::new(),
                epoch: 0,
            },
            files: Vec::new(),
            components: components(&document),
            inputs: inputs(&document),
            parts: BTreeMap::new(),
            functions: BTreeMap::new(),
            patched: BTreeMap::new(),
            gaps: Vec::new(),
        },
    };
    // The root first: the initramfs's files are known by it.
    reading.root(&mut content)?;
    reading.initramfs(&uki.initramfs)?;
    reading.uki(&sections)?;
    reading.esp(image, uki)?;
    let mut inventory = reading.inventory;
    if let Some(error) = missing(&document, &inventory.files) {
        return Err(error.into());
    }
    inventory.files.sort_by(|one, other| (one.place, &one.path).cmp(&(other.place, &other.path)));
    inventory.gaps.sort_by(|one, other| (&one.file, &one.what).cmp(&(&other.file, &other.what)));
    Ok(inventory)
}

struct Reading<'a> {
    owners: Owners<'a>,
    inventory: Inventory,
}

impl Reading<'_> {
    fn root(&mut self, root: &mut Cursor<impl orlop_chain::device::ReadAt>) -> anyhow::Result<()> {
        let refused = |path: &str, error: &dyn std::fmt::Display| Refusal::new(Stage::Root, format!("{path}: {error}"));
        for entry in erofs::list(root).map_err(|error| refused("/", &error))? {
            let path = &entry.path;
            let archive = path.strip_prefix(PRELOAD).is_some_and(|rest| rest.ends_with(".tar"));
            let (content, kind) = match (entry.kind, entry.target) {
                (erofs::Kind::Folder, _) => continue,
                (erofs::Kind::Link, Some(target)) => (Content::of(target.as_bytes()), Kind::Link(target)),
                (erofs::Kind::File, _) => {
                    let mut content = Content::new(archive || DOCUMENTS.contains(&path.as_str()));
                    erofs::copy(root, path, &mut content).map_err(|error| refused(path, &error))?;
                    self.document(path, &content.bytes).map_err(|error| refused(path, &error))?;
                    let kind = if archive { Kind::Archive } else { kind(&content) };
                    (content, kind)
                }
                // No component can bring a device.
                _ => return Err(InventoryError::NobodyOwns { file: format!("root{path}"), why: String::new() }.into()),
            };
            let component = self.owners.of_root(path)?.to_owned();
            // What has no content is like any other that has none, and no program or module.
            if content.size > 0 && !matches!(kind, Kind::Link(_)) {
                self.owners.in_root(&component, &content.hashes().1);
            }
            let runs = entry.mode & EXECUTE != 0;
            self.add(Seen { place: Place::Root, path, kind, runs, content: &content }, &component);
        }
        Ok(())
    }

    /// Takes what a document of the root says.
    fn document(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        /// As much of it as is said of an image: other versions of `orlop` write more or less beside it.
        #[derive(Deserialize)]
        struct Settings {
            sysctls: Vec<(String, String)>,
        }
        match path {
            NODE_SETTINGS => {
                let settings: Settings = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                self.inventory.image.sysctls = settings.sysctls.into_iter().collect();
            }
            // Images of earlier builders do not have it, nor do those whose kernel came without a changelog: nothing is mended
            // then.
            FIXED => self.inventory.patched = Fixed::parse(bytes)?.by_flaw(),
            _ => {}
        }
        Ok(())
    }

    fn initramfs(&mut self, archive: &[u8]) -> anyhow::Result<()> {
        let place = Place::Initramfs;
        let members = cpio::read(archive).map_err(|error| InventoryError::unreadable(place.name(), error))?;
        if let Some(list) = members.iter().find(|member| member.path == MODULES) {
            let lists: Result<ModuleLists, _> = serde_json::from_slice(list.bytes);
            let file = format!("{}/{MODULES}", place.name());
            self.owners.listed(&lists.map_err(|error| InventoryError::unreadable(&file, error))?);
        }
        let mut seen = BTreeSet::new();
        for member in members {
            self.inventory.image.epoch = self.inventory.image.epoch.max(u64::from(member.mtime));
            let nobody = |why: &str| {
                let file = format!("{}/{}", place.name(), member.path);
                InventoryError::NobodyOwns { file, why: why.into() }
            };
            // The kernel unpacks both, and the second is what is seen.
            if !seen.insert(member.path) {
                return Err(nobody(TWICE).into());
            }
            match member.kind() {
                "file" => {}
                "folder" => continue,
                // The kernel opens it before there is a file system with devices.
                "device" if member.path == "dev/console" => continue,
                // The builder puts nothing else there, no link either.
                _ => return Err(nobody("").into()),
            }
            let content = Content::of(member.bytes);
            let component = self.owners.of_member(member.path, &content.hashes().1)?.to_owned();
            let (path, runs) = (format!("/{}", member.path), member.mode & EXECUTE != 0);
            self.add(Seen { place, path: &path, kind: kind(&content), runs, content: &content }, &component);
        }
        Ok(())
    }

    fn uki(&mut self, sections: &BTreeMap<String, &[u8]>) -> anyhow::Result<()> {
        for (name, bytes) in sections {
            let kind = match &**name {
                ".linux" | ".text" => Kind::Program,
                ".initrd" => Kind::Archive,
                _ => Kind::Data,
            };
            let component = self.owners.of_section(name)?.to_owned();
            // What is not in the file (a section of zeros) has no bytes to hash, and no bytes are hashed.
            let content = Content::of(bytes);
            self.add(Seen { place: Place::Uki, path: name, kind, runs: false, content: &content }, &component);
        }
        Ok(())
    }

    fn esp(&mut self, image: &Image, uki: &Uki) -> anyhow::Result<()> {
        let place = Place::Esp;
        let beside = image.beside_uki().map_err(|error| InventoryError::unreadable(place.name(), error))?;
        if let Some(file) = beside {
            return Err(InventoryError::NobodyOwns { file, why: " (the UKI lies alone there)".into() }.into());
        }
        let (path, content) = (format!("/{UKI_PATH}"), Content::of(&uki.bytes));
        self.add(Seen { place, path: &path, kind: Kind::Archive, runs: false, content: &content }, IMAGE);
        Ok(())
    }

    fn add(&mut self, seen: Seen<'_>, component: &str) {
        let Seen { place, path, kind, runs, content } = seen;
        let (sha1, sha256) = content.hashes();
        let file =
            File { place, path: path.into(), kind, size: content.size, sha1, sha256, component: component.into() };
        let found = match (&file.kind, place) {
            // Its sections stand for themselves.
            (_, Place::Uki | Place::Esp) => Found::default(),
            (Kind::Program | Kind::Archive, _) if !content.is_kept() => {
                Found::gap("too large to be looked into".into())
            }
            (Kind::Program, _) => parts::of_program(&content.bytes, &file.name(), self.fetched(component)),
            (Kind::Archive, _) => parts::of_archive(&content.bytes, &file.name(), self.fetched(component)),
            // That says that it is none.
            (Kind::Data, _) if runs => parts::of_program(&content.bytes, &file.name(), None),
            (Kind::Data | Kind::Link(_), _) => Found::default(),
        };
        self.inventory.take(found, &file);
        self.inventory.files.push(file);
    }

    /// The module that a component was fetched as.
    fn fetched(&self, component: &str) -> Option<Fetched<'_>> {
        let component = self.inventory.components.get(component).filter(|component| component.origin == Origin::Go)?;
        Some((component.name.as_str(), component.version.as_str()))
    }
}

/// A file that was read.
struct Seen<'a> {
    place: Place,
    path: &'a str,
    kind: Kind,
    /// Whether somebody may run it.
    runs: bool,
    content: &'a Content,
}

fn kind(content: &Content) -> Kind {
    if content.is_program() { Kind::Program } else { Kind::Data }
}

/// The first path of the root's list that the root does not have.
fn missing(document: &Components, files: &[File]) -> Option<InventoryError> {
    let paths: BTreeSet<&str> = files.iter().filter(|file| file.place == Place::Root).map(|file| &*file.path).collect();
    let (path, component) = document.paths.iter().find(|(path, _)| !paths.contains(path.as_str()))?;
    Some(InventoryError::Missing { path: path.clone(), component: component.clone() })
}

/// Name → bytes, of all sections. Of two with one name the second would be nobody's.
fn sections(uki: &Uki) -> anyhow::Result<BTreeMap<String, &[u8]>> {
    let image = pe::Image::parse(&uki.bytes)?;
    let mut sections = BTreeMap::new();
    for section in &image.sections {
        let bytes = image.section(&section.name).unwrap_or_default();
        if sections.insert(section.name.clone(), bytes).is_some() {
            return Err(InventoryError::NobodyOwns { file: format!("uki/{}", section.name), why: TWICE.into() }.into());
        }
    }
    Ok(sections)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\0', '\n']).to_owned()
}

pub(super) fn components(document: &Components) -> BTreeMap<String, Component> {
    let component = |(key, record): (&String, &crate::tree::ComponentRecord)| {
        let origin = parse(&record.name, &record.version, &record.origin, record.kind.as_deref());
        let (name, version, sha256) = (record.name.clone(), record.version.clone(), record.sha256.clone());
        (key.clone(), Component { name, version, origin, sha256, parts: BTreeSet::new() })
    };
    document.components.iter().map(component).collect()
}

pub(super) fn inputs(document: &Components) -> BTreeMap<String, Input> {
    let input = |(key, record): (&String, &crate::tree::InputRecord)| {
        let origin = parse(&record.name, &record.version, &record.origin, Some(&record.kind));
        let input = Input {
            name: record.name.clone(),
            version: record.version.clone(),
            origin,
            sha256: record.sha256.clone(),
            linked: record.linked,
            used_by: record.used_by.clone(),
        };
        (key.clone(), input)
    };
    document.inputs.iter().map(input).collect()
}

#[cfg(test)]
mod tests;
