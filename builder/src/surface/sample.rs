//! A small image that does not exist, and the numbers of another one.

use std::collections::BTreeMap;

use orlop_config::manifest::{BootManifest, Refusal, Trust, Verity};
use orlop_config::node::COMPONENTS;

use super::count::RootFile;
use super::number::{Number, Surface, What};
use crate::formats::{cpio, pe};
use crate::tree::{ComponentRecord, Components, IMAGE};

/// Boot manifest, components and files of a root: three modules, PID 1, the list of components, and a file that is all that it
/// must not be.
pub fn facts() -> (BootManifest, Components, Vec<RootFile>) {
    let file = |path: &str, mode, size, head: &[u8]| RootFile {
        path: path.into(),
        mode,
        size,
        capabilities: false,
        head: head.into(),
    };
    let modules = "/usr/lib/modules/6.1/kernel";
    let files = vec![
        RootFile { capabilities: true, ..file("/opt/extra", 0o4755, 5, b"#!/x\n") },
        file(&format!("{modules}/drivers/net/tun.ko.xz"), 0o644, 30, b"xz"),
        file(&format!("{modules}/drivers/net/veth.ko.xz"), 0o644, 20, b"xz"),
        file(&format!("{modules}/fs/xfs.ko.xz"), 0o644, 20, b"xz"),
        file("/usr/libexec/orlop/init", 0o755, 40, b"static"),
        file(COMPONENTS, 0o644, 9, b"{"),
    ];
    let record = |name: &str| ComponentRecord {
        kind: None,
        name: name.into(),
        version: "1".into(),
        origin: "somewhere".into(),
        sha256: String::new(),
    };
    let owner = |path: &str| if path.starts_with(modules) { "linux" } else { "init" };
    let owned = files.iter().filter(|file| file.path.starts_with("/usr/lib"));
    let components = Components {
        version: 1,
        components: [("init", "orlop-init"), ("linux", "linux-image"), (IMAGE, "rendered by orlop")]
            .map(|(key, name)| (key.to_owned(), record(name)))
            .into(),
        inputs: BTreeMap::new(),
        lines: [("init".to_owned(), 5559)].into(),
        paths: owned.map(|file| (file.path.clone(), owner(&file.path).to_owned())).collect(),
    };
    (boot(), components, files)
}

fn boot() -> BootManifest {
    BootManifest {
        version: 1,
        image: "sample".into(),
        image_version: "1.2.3".into(),
        architecture: "x86_64".into(),
        class: "public".into(),
        command_line: "panic=10 --".into(),
        verity: Verity {
            root_hash: "ab".repeat(32),
            salt: "cd".repeat(32),
            uuid: "0d9f7a6c-1b2c-8d3e-9f40-a1b2c3d4e5f6".into(),
            algorithm: "sha256".into(),
            data_block_size: 4096,
            hash_block_size: 4096,
            data_blocks: 12_000,
            hash_start_block: 1,
        },
        refusal: Refusal::Reboot,
        trust: Trust::default(),
        development: true,
    }
}

/// A UKI with PID 1 and two modules in its initramfs, one of which the root has too.
pub fn uki() -> Vec<u8> {
    let folder = |path: &str| cpio::Entry { path: path.into(), kind: cpio::Kind::Folder { mode: 0o755 } };
    let file = |path: &str, bytes: &[u8]| cpio::Entry {
        path: path.into(),
        kind: cpio::Kind::File { mode: 0o644, bytes: bytes.into() },
    };
    let entries = [
        file("init", &[1; 40]),
        folder("modules"),
        file("modules/dm_verity.ko.xz", b"xz"),
        file("modules/tun.ko.xz", b"xz"),
    ];
    let archive = cpio::write(&entries, 0).unwrap();
    pe::add_sections(&pe::tests::stub(), &[pe::NewSection::data(".initrd", archive)]).unwrap()
}

/// Numbers: three files of two components in 109 bytes, 160 modules.
pub fn surface() -> Surface {
    let number =
        |is, of: &[(&str, u64)]| Number { is, of: of.iter().map(|(of, is)| ((*of).to_owned(), *is)).collect() };
    let mut surface = Surface::new("sample", "1.2.3", &"ab".repeat(32));
    surface.numbers = [
        (What::RootBytes, number(109, &[("large", 1000), ("small", 10)])),
        (What::Files, number(3, &[("large", 1), ("small", 2)])),
        (What::Executables, number(1, &[("/usr/bin/large", 990)])),
        (What::Setuid, number(0, &[])),
        (What::Modules, number(160, &[])),
    ]
    .into();
    surface
}
