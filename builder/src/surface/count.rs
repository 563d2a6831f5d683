//! Root and UKI → numbers.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::Context;
use orlop_config::manifest::BootManifest;
use orlop_config::node::COMPONENTS;

use super::number::{Number, Surface, What};
use crate::formats::{cpio, elf, pe};
use crate::tree::{Components, IMAGE, Node, Tree, is_interpreter, module_name};

/// As much of a file as tells what runs it.
pub const HEAD: usize = 4096;
/// What the component of PID 1 is called by its own package.
const INIT: &str = "orlop-init";
/// Where PID 1 lies in the initramfs, and where its modules do.
const INIT_MEMBER: &str = "init";
const MODULES_MEMBER: &str = "modules/";
/// Whose files nobody owns; `orlop sbom` refuses an image that has any.
const NOBODY: &str = "(nobody)";

/// A regular file of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootFile {
    /// Absolute path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Bytes, before compression.
    pub size: u64,
    /// Whether it gives capabilities to who runs it.
    pub capabilities: bool,
    /// Its first [`HEAD`] bytes.
    pub head: Vec<u8>,
}

/// What is counted.
pub struct Facts<'a> {
    /// Which image it is, and how large its root is.
    pub boot: &'a BootManifest,
    /// What the root says of its components.
    pub components: &'a Components,
    /// The root's files.
    pub files: &'a [RootFile],
    /// The UKI, signed or not.
    pub uki: &'a [u8],
}

/// The files of a tree, as they will be in the image made of it. An error is a file of the cache that is not as it was made.
pub fn of_tree(tree: &Tree) -> std::io::Result<Vec<RootFile>> {
    let mut files = Vec::new();
    for (path, entry) in tree.iter() {
        let Node::File { mode, content } = &entry.node else { continue };
        let mut head = Vec::new();
        content.open()?.take(HEAD as u64).read_to_end(&mut head)?;
        // A tree has no extended attributes, and no archive that is made of one.
        files.push(RootFile { path: path.into(), mode: *mode, size: content.size(), capabilities: false, head });
    }
    Ok(files)
}

/// Counts.
pub fn count(facts: &Facts<'_>) -> anyhow::Result<Surface> {
    let Facts { boot, components, files, uki } = facts;
    let mut surface = Surface::new(&boot.image, &boot.image_version, &boot.verity.root_hash);
    let mut counting = Counting { numbers: BTreeMap::new(), modules: BTreeMap::new() };
    counting.uki(uki).context("the UKI")?;
    counting.root(files, components);
    counting.modules();
    // Of earlier builders, and of an image whose PID 1 is somebody else's, it is not known.
    let init = components.components.iter().find(|(_, record)| record.name == INIT).map(|(name, _)| name);
    if let Some(lines) = init.and_then(|name| components.lines.get(name)) {
        counting.number(What::InitLines).is = *lines;
    }
    let root = boot.verity.data_blocks.saturating_mul(boot.verity.data_block_size.into());
    counting.number(What::RootBytes).is = root;
    surface.numbers = counting.numbers;
    Ok(surface)
}

struct Counting {
    numbers: BTreeMap<What, Number>,
    /// Module → subsystem.
    modules: BTreeMap<String, String>,
}

impl Counting {
    fn number(&mut self, what: What) -> &mut Number {
        self.numbers.entry(what).or_default()
    }

    /// So much more of a part. The number itself is counted by itself.
    fn part(&mut self, what: What, of: &str, amount: u64) {
        let part = self.number(what).of.entry(of.into()).or_default();
        *part = part.saturating_add(amount);
    }

    fn uki(&mut self, uki: &[u8]) -> anyhow::Result<()> {
        let image = pe::Image::parse(uki)?;
        let signature = pe::certificates(uki)?.map_or(0, <[u8]>::len);
        // A signature begins at a multiple of 8: what stands before it is as long without one.
        self.number(What::UkiBytes).is = (uki.len() - signature).next_multiple_of(8) as u64;
        for section in &image.sections {
            self.part(What::UkiBytes, &section.name, section.raw_size.min(section.virtual_size).into());
        }
        let archive = image.section(".initrd").context("it has no section .initrd")?;
        for member in cpio::read(archive).context("its initramfs")?.iter().filter(|member| member.is_file()) {
            if member.path == INIT_MEMBER {
                self.number(What::InitBytes).is = member.bytes.len() as u64;
            } else if let Some(name) = member.path.strip_prefix(MODULES_MEMBER).and_then(module_name) {
                self.modules.insert(name, "initramfs".into());
            }
        }
        Ok(())
    }

    fn root(&mut self, files: &[RootFile], components: &Components) {
        // None is a number too.
        for what in [What::Files, What::Executables, What::Setuid, What::Capabilities, What::Interpreters] {
            self.number(what);
        }
        for file in files {
            // The list cannot have itself.
            let listed = if file.path == COMPONENTS { Some(IMAGE) } else { None };
            let owner = components.paths.get(&file.path).map(String::as_str).or(listed).unwrap_or(NOBODY);
            self.part(What::RootBytes, owner, file.size);
            self.part(What::Files, owner, 1);
            self.number(What::Files).is += 1;
            let runs = file.head.starts_with(b"#!") || elf::interpreter(&file.head).is_some();
            for (what, counts) in [
                (What::Executables, file.mode & 0o111 != 0),
                (What::Setuid, file.mode & 0o6000 != 0),
                (What::Capabilities, file.capabilities),
                (What::Interpreters, runs || is_interpreter(&file.path, file.mode)),
            ] {
                if counts {
                    self.part(what, &file.path, file.size);
                    self.number(what).is += 1;
                }
            }
            if let Some((name, subsystem)) = module(&file.path) {
                self.modules.insert(name, subsystem);
            }
        }
    }

    fn modules(&mut self) {
        let modules = std::mem::take(&mut self.modules);
        self.number(What::Modules).is = modules.len() as u64;
        for subsystem in modules.values() {
            self.part(What::Modules, subsystem, 1);
        }
    }
}

/// Name and subsystem of a kernel module: `/usr/lib/modules/RELEASE/kernel/drivers/net/tun.ko.xz` is `tun` of `drivers/net`.
fn module(path: &str) -> Option<(String, String)> {
    let below = path.strip_prefix("/usr/lib/modules/")?;
    let name = module_name(below)?;
    let (_, place) = below.split_once('/')?;
    let place = place.strip_prefix("kernel/").unwrap_or(place);
    let folders: Vec<&str> = place.split('/').collect();
    let folders = &folders[..folders.len().saturating_sub(1).min(2)];
    Some((name, if folders.is_empty() { "(none)".into() } else { folders.join("/") }))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{facts, uki};
    use super::*;
    use crate::tree::Content;

    #[test]
    fn every_number_is_counted_with_what_makes_it_up() {
        let (boot, components, files) = facts();
        let facts = Facts { boot: &boot, components: &components, files: &files, uki: &uki() };
        let surface = count(&facts).unwrap();
        let of = |what: What| -> Vec<(String, u64)> { surface.numbers[&what].of.clone().into_iter().collect() };
        let row = |name: &str, amount: u64| (name.to_owned(), amount);
        assert_eq!((surface.image.as_str(), surface.get(What::RootBytes)), ("sample", Some(12_000 * 4096)));
        assert_eq!(of(What::RootBytes), [row("(nobody)", 5), row("image", 9), row("init", 40), row("linux", 70)]);
        assert_eq!(surface.get(What::Files), Some(6));
        assert_eq!(of(What::Files), [row("(nobody)", 1), row("image", 1), row("init", 1), row("linux", 3)]);
        assert_eq!(of(What::Executables), [row("/opt/extra", 5), row("/usr/libexec/orlop/init", 40)]);
        assert_eq!(of(What::Setuid), [row("/opt/extra", 5)]);
        assert_eq!(of(What::Capabilities), [row("/opt/extra", 5)]);
        assert_eq!((of(What::Interpreters), surface.get(What::Interpreters)), (vec![row("/opt/extra", 5)], Some(1)));
        // One of the three is in the initramfs too, and one only there.
        assert_eq!(surface.get(What::Modules), Some(4));
        assert_eq!(of(What::Modules), [row("drivers/net", 2), row("fs", 1), row("initramfs", 1)]);
        assert_eq!((surface.get(What::InitBytes), surface.get(What::InitLines)), (Some(40), Some(5559)));
        assert_eq!(surface.get(What::UkiBytes), Some(uki().len() as u64));
        assert_eq!((surface.get(What::Listeners), surface.get(What::Processes)), (None, None));
    }

    #[test]
    fn a_signature_of_the_uki_is_not_counted() {
        let (boot, components, files) = facts();
        let of = |uki: &[u8]| count(&Facts { boot: &boot, components: &components, files: &files, uki }).unwrap();
        let signed = pe::add_certificates(&uki(), vec![7; 1500]).unwrap();
        assert!(signed.len() > uki().len());
        assert_eq!(of(&signed), of(&uki()));
    }

    #[test]
    fn what_is_not_said_is_not_counted() {
        let (boot, mut components, files) = facts();
        components.lines.clear();
        let surface = count(&Facts { boot: &boot, components: &components, files: &files, uki: &uki() }).unwrap();
        assert_eq!(surface.get(What::InitLines), None);
        let error = count(&Facts { boot: &boot, components: &components, files: &files, uki: b"MZ" }).unwrap_err();
        assert!(format!("{error:#}").starts_with("the UKI: "), "{error:#}");
    }

    #[test]
    fn a_trees_files_are_those_of_its_image() {
        let mut tree = Tree::default();
        let node = |mode, bytes: &[u8]| Node::File { mode, content: Content::Bytes(bytes.into()) };
        tree.insert("/a/long", "x", node(0o755, &[b'l'; HEAD + 1])).unwrap();
        tree.insert("/a/short", "x", node(0o644, b"s")).unwrap();
        tree.insert("/a/link", "x", Node::Link { target: "short".into() }).unwrap();
        let files = of_tree(&tree).unwrap();
        let rows: Vec<_> = files.iter().map(|file| (&*file.path, file.mode, file.size, file.head.len())).collect();
        assert_eq!(rows, [("/a/long", 0o755, HEAD as u64 + 1, HEAD), ("/a/short", 0o644, 1, 1)]);
    }

    #[test]
    fn modules_have_a_subsystem() {
        let of = |path: &str| module(&format!("/usr/lib/modules/6.1/{path}")).map(|(name, of)| format!("{name} {of}"));
        assert_eq!(of("kernel/drivers/net/ethernet/intel/e1000.ko.xz").as_deref(), Some("e1000 drivers/net"));
        assert_eq!(of("kernel/fs/xfs.ko").as_deref(), Some("xfs fs"));
        assert_eq!(of("x-y.ko.xz").as_deref(), Some("x_y (none)"));
        assert_eq!((of("modules.builtin"), module("/etc/x.ko")), (None, None));
    }
}
