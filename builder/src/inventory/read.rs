//! Reads an inventory out of an image.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orlop_chain::{Refusal, RootHash, Stage, manifest};
use orlop_config::node::{NODE_SETTINGS, NodeSettings, PRELOAD};

use super::content::Content;
use super::origin::parse;
use super::owners::{Owners, STUB_VERSION};
use super::parts::{self, Found};
use super::{Component, File, Gap, ImageFacts, Input, Inventory, InventoryError, Kind, Place};
use crate::formats::{cpio, elf, erofs, pe};
use crate::image::inspect;
use crate::image::open::{Cursor, Image, UKI_PATH, Uki};
use crate::tree::{Components, IMAGE};

/// Reads an image. Nothing is verified (`orlop verify` does that), and nothing beside the image is looked at.
pub fn read(path: &Path) -> anyhow::Result<Inventory> {
    let image = Image::open(path)?;
    let uki = image.uki()?;
    let boot = uki.boot_manifest()?;
    let boot = manifest::parse_boot(&boot).map_err(|error| Refusal::new(Stage::Manifest, error))?;
    let root: RootHash = boot.verity.root_hash.parse()?;
    let mut content = Cursor::new(image.region(inspect::root_partition(&image, &root)?));
    let document = inspect::components(&mut content)?;
    let sections = sections(&uki)?;
    let text = |name: &str| sections.get(name).map(|bytes| text(bytes)).unwrap_or_default();
    let mut reading = Reading {
        owners: Owners::new(&document, &text(".uname"), &text(STUB_VERSION)),
        inventory: Inventory {
            image: ImageFacts {
                name: boot.image,
                version: boot.image_version,
                architecture: boot.architecture,
                class: boot.class,
                root_hash: boot.verity.root_hash,
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
            gaps: Vec::new(),
        },
    };
    // The root first: the initramfs's files are known by it.
    reading.root(&mut content)?;
    reading.initramfs(&uki.initramfs)?;
    reading.uki(&sections)?;
    reading.esp(&image, &uki)?;
    let mut inventory = reading.inventory;
    let paths: BTreeSet<&str> =
        inventory.files.iter().filter(|file| file.place == Place::Root).map(|file| &*file.path).collect();
    if let Some((path, component)) = document.paths.iter().find(|(path, _)| !paths.contains(path.as_str())) {
        let (path, component) = (path.clone(), component.clone());
        return Err(InventoryError::Missing { path, component }.into());
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
                    let mut content = Content::new(archive || path == NODE_SETTINGS);
                    erofs::copy(root, path, &mut content).map_err(|error| refused(path, &error))?;
                    if path == NODE_SETTINGS {
                        let settings: NodeSettings =
                            serde_json::from_slice(&content.bytes).map_err(|error| refused(path, &error))?;
                        self.inventory.image.sysctls = settings.sysctls.into_iter().collect();
                    }
                    let kind = if archive { Kind::Archive } else { kind(&content) };
                    (content, kind)
                }
                // No component can bring a device.
                _ => return Err(InventoryError::NobodyOwns { file: format!("root{path}"), why: String::new() }.into()),
            };
            let component = self.owners.of_root(path, &content.hashes().1)?.to_owned();
            self.add((Place::Root, path), kind, &component, &content);
        }
        Ok(())
    }

    fn initramfs(&mut self, archive: &[u8]) -> anyhow::Result<()> {
        let place = Place::Initramfs;
        for member in cpio::read(archive).map_err(|error| InventoryError::unreadable(place.name(), error))? {
            self.inventory.image.epoch = self.inventory.image.epoch.max(u64::from(member.mtime));
            let kind = match member.kind() {
                "file" => None,
                "link" => Some(Kind::Link(String::from_utf8_lossy(member.bytes).into_owned())),
                "folder" => continue,
                // The kernel opens it before there is a file system with devices.
                _ if member.path == "dev/console" => continue,
                _ => {
                    return Err(InventoryError::NobodyOwns {
                        file: format!("initramfs/{}", member.path),
                        why: String::new(),
                    }
                    .into());
                }
            };
            let content = Content::of(member.bytes);
            let kind = kind.unwrap_or_else(|| self::kind(&content));
            let component = self.owners.of_member(member.path, &content.hashes().1)?.to_owned();
            self.add((place, &format!("/{}", member.path)), kind, &component, &content);
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
            self.add((Place::Uki, name), kind, &component, &Content::of(bytes));
        }
        Ok(())
    }

    fn esp(&mut self, image: &Image, uki: &Uki) -> anyhow::Result<()> {
        let place = Place::Esp;
        let beside = image.beside_uki().map_err(|error| InventoryError::unreadable(place.name(), error))?;
        if let Some(file) = beside {
            return Err(InventoryError::NobodyOwns { file, why: " (the UKI lies alone there)".into() }.into());
        }
        self.add((place, &format!("/{UKI_PATH}")), Kind::Archive, IMAGE, &Content::of(&uki.bytes));
        Ok(())
    }

    fn add(&mut self, (place, path): (Place, &str), kind: Kind, component: &str, content: &Content) {
        let (sha1, sha256) = content.hashes();
        let file =
            File { place, path: path.into(), kind, size: content.size, sha1, sha256, component: component.into() };
        let found = match (&file.kind, place) {
            // Its sections stand for themselves.
            (_, Place::Uki | Place::Esp) => Found::default(),
            (Kind::Program | Kind::Archive, _) if !content.is_kept() => {
                Found { parts: Vec::new(), gaps: vec!["too large to be looked into".into()] }
            }
            (Kind::Program, _) => parts::of_program(&content.bytes, &file.name()),
            (Kind::Archive, _) => parts::of_archive(&content.bytes, &file.name()),
            (Kind::Data | Kind::Link(_), _) => Found::default(),
        };
        self.take(found, &file);
        self.inventory.files.push(file);
    }

    fn take(&mut self, found: Found, file: &File) {
        let Inventory { parts, components, gaps, .. } = &mut self.inventory;
        for part in found.parts {
            let key = part.purl();
            if let Some(component) = components.get_mut(&file.component) {
                component.parts.insert(key.clone());
            }
            parts.entry(key).or_insert(part).files.insert(file.name());
        }
        gaps.extend(found.gaps.into_iter().map(|what| Gap { file: file.name(), what }));
    }
}

fn kind(content: &Content) -> Kind {
    if content.is_kept() && elf::is_elf(&content.bytes) { Kind::Program } else { Kind::Data }
}

/// Name → bytes, of all sections. Of two with one name the second would be nobody's.
fn sections(uki: &Uki) -> anyhow::Result<BTreeMap<String, &[u8]>> {
    let image = pe::Image::parse(&uki.bytes)?;
    let mut sections = BTreeMap::new();
    for section in &image.sections {
        let bytes = image.section(&section.name).unwrap_or_default();
        if sections.insert(section.name.clone(), bytes).is_some() {
            let why = " (there are two with that name)".into();
            return Err(InventoryError::NobodyOwns { file: format!("uki/{}", section.name), why }.into());
        }
    }
    Ok(sections)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\0', '\n']).to_owned()
}

fn components(document: &Components) -> BTreeMap<String, Component> {
    let component = |(key, record): (&String, &crate::tree::ComponentRecord)| {
        let origin = parse(&record.name, &record.version, &record.origin, record.kind.as_deref());
        let (name, version, sha256) = (record.name.clone(), record.version.clone(), record.sha256.clone());
        (key.clone(), Component { name, version, origin, sha256, parts: BTreeSet::new() })
    };
    document.components.iter().map(component).collect()
}

fn inputs(document: &Components) -> BTreeMap<String, Input> {
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
