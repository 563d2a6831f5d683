//! The programs of an image: those of its root and of its initramfs.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::Context;
use orlop_chain::{RootHash, manifest};
use orlop_config::node::{COMPONENTS, FIXED, PRELOAD};

use super::super::package::{By, Inventory, Patches, Unjudged};
use super::{Program, Reading, crates, debian};
use crate::formats::erofs::{self, FileEntry, Kind};
use crate::formats::{cpio, elf};
use crate::image::inspect::root_partition;
use crate::image::open::{Cursor, Image};
use crate::text::shown;
use crate::tree::{Components, Fixed, INIT};

/// No program is bigger.
const MOST: u64 = 1 << 30;
const EXECUTE: u32 = 0o111;

/// Reads which packages an image is made of. Nothing is verified here: `orlop verify` does.
pub fn of_image(path: &Path) -> anyhow::Result<Inventory> {
    let image = Image::open(path)?;
    let uki = image.uki()?;
    let boot = manifest::parse_boot(&uki.boot_manifest()?)
        .with_context(|| format!("{}: the boot manifest", path.display()))?;
    let root: RootHash = boot.verity.root_hash.parse()?;
    let mut content = Cursor::new(image.region(root_partition(&image, &root)?));
    let in_root = || format!("{}: the root", path.display());
    let files = erofs::list(&mut content).with_context(in_root)?;
    let document = erofs::read(&mut content, COMPONENTS).with_context(in_root)?;
    let components: Components =
        serde_json::from_slice(&document).with_context(|| format!("{}: {COMPONENTS}", path.display()))?;
    let (mut packages, unjudged) = debian::packages(&components);
    packages.extend(crates::standard_library(&components));
    let mut reading = Reading { packages, unjudged };
    let mut program = Vec::new();
    for file in files.iter().filter(|file| file.kind == Kind::File) {
        if file.path.strip_prefix(PRELOAD).is_some_and(|rest| rest.starts_with('/')) {
            reading.unjudged.push(preloaded(file, &components));
        } else if file.mode & EXECUTE != 0 {
            program.clear();
            let mut bounded = Bounded { bytes: &mut program, left: file.size.min(MOST) };
            erofs::copy(&mut content, &file.path, &mut bounded)
                .with_context(|| format!("{}: {}", path.display(), shown(&file.path)))?;
            reading.program(of(&file.path, &components, &by(&file.path, &components), &program));
        }
    }
    initramfs(&uki.initramfs, &of_init(&components), &mut reading)
        .with_context(|| format!("{}: the initramfs", path.display()))?;
    let patched = patched(&files, &mut content).with_context(|| format!("{}: {FIXED}", path.display()))?;
    Ok(Inventory {
        image: boot.image,
        version: boot.image_version,
        architecture: architecture(&boot.architecture),
        own: true,
        packages: reading.packages,
        unjudged: reading.unjudged,
        patched,
    })
}

/// What the root says of the flaws that a distributor mended. Images of earlier builders do not say it, nor do those whose
/// kernel came without a changelog: nothing is mended then.
fn patched(files: &[FileEntry], root: &mut (impl Read + Seek)) -> anyhow::Result<BTreeMap<String, Patches>> {
    let Some(file) = files.iter().find(|file| file.path == FIXED) else { return Ok(BTreeMap::new()) };
    let mut json = Vec::new();
    erofs::copy(root, FIXED, &mut Bounded { bytes: &mut json, left: file.size.min(MOST) })?;
    Ok(Fixed::parse(&json).map_err(anyhow::Error::msg)?.by_flaw())
}

fn by(path: &str, components: &Components) -> By {
    let component = components.paths.get(path).cloned().unwrap_or_default();
    let version = components.components.get(&component).map_or(String::new(), |record| record.version.clone());
    By { component, version }
}

fn of<'a>(path: &'a str, components: &'a Components, by: &'a By, bytes: &'a [u8]) -> Program<'a> {
    let origin = components.components.get(&by.component).map_or("", |record| &record.origin);
    Program { path, by, origin, bytes }
}

/// A container image in the root is another thing than the host, with packages of its own.
fn preloaded(file: &FileEntry, components: &Components) -> Unjudged {
    let reason = "a container image that the node imports: its layers are not looked at; scan it by itself";
    Unjudged { what: file.path.clone(), component: by(&file.path, components).component, reason: reason.into() }
}

/// The component whose program is the initramfs's init; an image that names none has programs in the initramfs, and no more is
/// known of them.
fn of_init(components: &Components) -> By {
    let init = components.components.iter().find(|(_, record)| record.name == INIT);
    init.map_or_else(
        || By { component: "initramfs".into(), version: String::new() },
        |(key, record)| By { component: key.clone(), version: record.version.clone() },
    )
}

/// The programs of the initramfs, which one component brings. Its modules belong to the kernel's package.
fn initramfs(archive: &[u8], by: &By, reading: &mut Reading) -> Result<(), cpio::CpioError> {
    for member in cpio::read(archive)?.iter().filter(|member| member.is_file()) {
        if member.mode & EXECUTE != 0 && elf::is_elf(member.bytes) {
            let path = format!("initramfs:/{}", member.path);
            reading.program(Program { path: &path, by, origin: "", bytes: member.bytes });
        }
    }
    Ok(())
}

/// Go's name of an architecture.
fn architecture(name: &str) -> Option<String> {
    match name {
        "x86_64" => Some("amd64".into()),
        "aarch64" => Some("arm64".into()),
        _ => None,
    }
}

/// As many bytes as a file said that it has; what is more than that is refused.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    left: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::other(format!("longer than it says, or than any program is ({MOST} bytes)")))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::ComponentRecord;

    #[test]
    fn programs_of_the_initramfs_belong_to_the_component_of_init() {
        let of = |name: &str| {
            let record = ComponentRecord {
                kind: None,
                name: name.into(),
                version: "0.1.0".into(),
                origin: String::new(),
                sha256: String::new(),
            };
            let by = of_init(&Components {
                version: 1,
                components: BTreeMap::from([("first".to_owned(), record)]),
                inputs: BTreeMap::new(),
                lines: BTreeMap::new(),
                paths: BTreeMap::new(),
            });
            format!("{} {}", by.component, by.version)
        };
        assert_eq!((of("orlop-init"), of("another")), ("first 0.1.0".into(), "initramfs ".into()));
    }
}
