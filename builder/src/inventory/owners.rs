//! Who owns what: the root says it of its files; of the UKI and its initramfs it follows from what they hold.

use std::collections::{BTreeMap, BTreeSet};

use orlop_config::node::{COMPONENTS, ModuleLists};

use super::origin::{self, Origin};
use super::{InventoryError, Place};
use crate::tree::{Components, IMAGE, INIT};

/// Sections of the UKI that the builder writes itself; the kernel's is `.linux`, and all others are the stub's.
const RENDERED: &[&str] = &[".cmdline", ".initrd", ".osrel", ".uname"];
/// The initramfs's list of its modules.
pub const MODULES: &str = "orlop/modules.json";
/// Members of the initramfs that the builder writes itself. Others beside them are nobody's.
const WRITTEN: &[&str] = &["orlop/boot.json", MODULES, "orlop/release.pub"];
/// The section in which the stub says its version.
pub const STUB_VERSION: &str = ".sdmagic";
/// What the stub says before its version.
const STUB: &str = "systemd-stub ";
/// Why what belongs to the kernel is nobody's.
const NO_KERNEL: &str = " (no component is this kernel, by `.uname`)";

/// Who owns what in an image.
pub struct Owners<'a> {
    document: &'a Components,
    kernel: Option<&'a str>,
    stub: Option<&'a str>,
    /// SHA-256 of a file of the root → its component.
    contents: BTreeMap<String, String>,
    /// What the initramfs's list of its modules names.
    modules: BTreeSet<String>,
}

impl<'a> Owners<'a> {
    /// By the root's list, the kernel's release and the stub's own section about itself.
    pub fn new(document: &'a Components, release: &str, magic: &str) -> Owners<'a> {
        let (kernel, stub) = (kernel(document, release), stub(document, magic));
        Owners { document, kernel, stub, contents: BTreeMap::new(), modules: BTreeSet::new() }
    }

    /// Of a file or link of the root.
    pub fn of_root(&self, path: &str) -> Result<&str, InventoryError> {
        let file = format!("{}{path}", Place::Root.name());
        // It cannot list itself.
        let listed = if path == COMPONENTS { Some(IMAGE) } else { self.document.paths.get(path).map(String::as_str) };
        let nobody =
            || InventoryError::NobodyOwns { file: file.clone(), why: " (components.json has no such path)".into() };
        let component = listed.ok_or_else(nobody)?;
        if !self.document.components.contains_key(component) {
            let have = self.document.components.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(InventoryError::NoComponent { file, component: component.into(), have });
        }
        Ok(component)
    }

    /// Remembers what a component has in the root: the same in the initramfs is its own too.
    pub fn in_root(&mut self, component: &str, sha256: &str) {
        self.contents.entry(sha256.into()).or_insert_with(|| component.into());
    }

    /// Remembers what the initramfs's list of its modules names.
    pub fn listed(&mut self, lists: &ModuleLists) {
        let all = [&lists.first, &lists.later, &lists.by_alias].into_iter().flatten();
        self.modules = all.map(|module| module.path.trim_start_matches('/').to_owned()).collect();
    }

    /// Of a section of the UKI.
    pub fn of_section(&self, name: &str) -> Result<&str, InventoryError> {
        let nobody = |why: &str| InventoryError::NobodyOwns { file: format!("uki/{name}"), why: why.into() };
        match name {
            ".linux" => self.kernel.ok_or_else(|| nobody(NO_KERNEL)),
            name if RENDERED.contains(&name) => Ok(IMAGE),
            _ => self.stub.ok_or_else(|| nobody(" (no component is this stub, by `.sdmagic`)")),
        }
    }

    /// Of a file of the initramfs; those of the root are known by then, and its list of modules. A file where the builder puts
    /// none is nobody's, whatever it holds.
    pub fn of_member(&self, path: &str, sha256: &str) -> Result<&str, InventoryError> {
        let of_root = self.contents.get(sha256).map(String::as_str);
        let (found, why) = match path {
            "init" => (of_root.or_else(|| named(self.document, INIT)), ""),
            path if WRITTEN.contains(&path) => (Some(IMAGE), ""),
            path if !path.starts_with("modules/") => (None, ""),
            path if self.modules.contains(path) => (of_root.or(self.kernel), NO_KERNEL),
            _ => (of_root, " (orlop/modules.json does not name it, and the root has no such file)"),
        };
        found.ok_or_else(|| InventoryError::NobodyOwns { file: format!("initramfs/{path}"), why: why.into() })
    }
}

/// The component whose modules the root has for this release, or whose package is called by it.
fn kernel<'a>(document: &'a Components, release: &str) -> Option<&'a str> {
    let folder = format!("/usr/lib/modules/{release}/");
    let of_modules = document.paths.iter().find(|(path, _)| path.starts_with(&folder)).map(|(_, owner)| &**owner);
    of_modules.or_else(|| named(document, &format!("linux-image-{release}")))
}

/// The component that has the stub's version and is a package of systemd; where none is one (a stub of somebody's own), the one
/// that has the version.
fn stub<'a>(document: &'a Components, magic: &str) -> Option<&'a str> {
    let version = magic.split_once(STUB)?.1.split_whitespace().next()?;
    let fits = |(_, record): &(&String, &crate::tree::ComponentRecord)| record.version == version;
    let of_systemd = |(_, record): &(&String, &crate::tree::ComponentRecord)| {
        let origin = origin::parse(&record.name, &record.version, &record.origin, record.kind.as_deref());
        matches!(origin, Origin::Debian(package) if package.sources.iter().any(|source| source.name == "systemd"))
    };
    let fitting: Vec<_> = document.components.iter().filter(fits).collect();
    let found = fitting.iter().find(|row| of_systemd(row)).or(fitting.first());
    found.map(|(name, _)| name.as_str())
}

fn named<'a>(document: &'a Components, upstream: &str) -> Option<&'a str> {
    document.components.iter().find(|(_, record)| record.name == upstream).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::ComponentRecord;
    use orlop_config::node::Module;

    fn document() -> Components {
        let record = |name: &str, version: &str, origin: &str| ComponentRecord {
            kind: None,
            name: name.into(),
            version: version.into(),
            origin: origin.into(),
            sha256: String::new(),
        };
        let components = [
            ("cut", record("cut", "257.1-1", "files/cut")),
            ("image", record("rendered by orlop", "0.1.0", "image definition")),
            ("init", record("orlop-init", "0.1.0", "orlop 0.1.0")),
            ("linux", record("linux-image-6.1", "6.1-1", "Debian trixie pool/main/l/linux/l_6.1-1_amd64.deb")),
            ("stub", record("systemd-boot-efi", "257.1-1", "Debian trixie pool/main/s/systemd/s_257.1-1_amd64.deb")),
        ];
        let paths = [("/usr/lib/modules/6.1/x.ko", "linux"), ("/init", "init"), ("/lost", "gone")];
        let owned = |(path, owner): (&str, &str)| (path.to_owned(), owner.to_owned());
        Components {
            version: 1,
            components: components.map(|(name, record)| (name.to_owned(), record)).into(),
            inputs: BTreeMap::new(),
            lines: BTreeMap::new(),
            paths: paths.map(owned).into(),
        }
    }

    /// What the initramfs lists: two modules, one of which the root has too.
    fn lists() -> ModuleLists {
        let module = |name: &str| Module {
            name: name.into(),
            path: format!("/modules/{name}.ko.xz"),
            depends: Vec::new(),
            aliases: Vec::new(),
        };
        ModuleLists { first: vec![module("x")], later: Vec::new(), by_alias: vec![module("y")] }
    }

    const MAGIC: &str = "#### LoaderInfo: systemd-stub 257.1-1 ####";

    #[test]
    fn everything_has_its_owner() {
        let document = document();
        let mut owners = Owners::new(&document, "6.1", MAGIC);
        assert_eq!(owners.of_root("/init").unwrap(), "init");
        assert_eq!(owners.of_root(COMPONENTS).unwrap(), IMAGE);
        owners.in_root("init", "aa");
        owners.in_root("cut", "bb");
        owners.listed(&lists());
        for (section, owner) in [(".linux", "linux"), (".cmdline", IMAGE), (".text", "stub"), (".sdmagic", "stub")] {
            assert_eq!(owners.of_section(section).unwrap(), owner, "{section}");
        }
        // By content first, by name where the root has no such file.
        for (member, sha256, owner) in [
            ("init", "bb", "cut"),
            ("init", "cc", "init"),
            ("modules/x.ko.xz", "cc", "linux"),
            ("modules/y.ko.xz", "bb", "cut"),
            ("modules/z.ko.xz", "bb", "cut"),
            ("orlop/boot.json", "cc", IMAGE),
            ("orlop/modules.json", "bb", IMAGE),
            ("orlop/release.pub", "cc", IMAGE),
        ] {
            assert_eq!(owners.of_member(member, sha256).unwrap(), owner, "{member}");
        }
    }

    #[test]
    fn what_nobody_owns_is_named() {
        let document = document();
        let mut owners = Owners::new(&document, "6.2", "no stub");
        owners.in_root("init", "aa");
        owners.listed(&lists());
        let error = owners.of_root("/etc/extra").unwrap_err().to_string();
        assert!(error.starts_with("root/etc/extra: no component owns this file"), "{error}");
        let error = owners.of_root("/lost").unwrap_err().to_string();
        assert!(error.contains("root/lost: belongs to `gone`") && error.contains("cut, image, init, linux"), "{error}");
        for section in [".linux", ".text"] {
            let error = owners.of_section(section).unwrap_err().to_string();
            assert!(error.starts_with(&format!("uki/{section}: no component owns")), "{error}");
        }
        for (member, sha256, why) in [
            ("etc/extra", "dd", "; "),
            ("shell", "dd", "; "),
            // Where the builder puts nothing, even what the root has is nobody's.
            ("shell", "aa", "; "),
            ("orlop/init", "aa", "; "),
            ("orlop/extra", "dd", "; "),
            ("./init", "aa", "; "),
            ("modules/x.ko", "dd", " (orlop/modules.json does not name it"),
            ("modules/x.ko.xz", "dd", " (no component is this kernel"),
        ] {
            let error = owners.of_member(member, sha256).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("initramfs/{member}: no component owns this file{why}")),
                "{member}: {error}"
            );
        }
    }
}
