//! A small image that does not exist, for the tests of what is made of inventories.

use std::collections::{BTreeMap, BTreeSet};

use super::origin::parse;
use super::{
    Component, Ecosystem, File, Gap, ImageFacts, Input, Inventory, Kind, Origin, Part, Place, Source, parts, read,
};
use crate::tree::Components;

/// Two programs that share a module, a kernel, a stub, a library, a toolchain, a file with a hostile name, a gap.
pub fn inventory() -> Inventory {
    let component = |name: &str, version: &str, origin: &str, parts: &[&str]| Component {
        name: name.into(),
        version: version.into(),
        origin: parse(name, version, origin, None),
        sha256: "ab".repeat(32),
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    let net = "pkg:golang/golang.org/x/net@v0.35.0";
    let runc = "github.com/opencontainers/runc";
    let components = [
        ("image", component("rendered by orlop", "0.1.0", "image definition", &[])),
        ("init", component("orlop-init", "0.1.0", "orlop 0.1.0", &["pkg:cargo/nix@0.31.3"])),
        (
            "kernel",
            component(
                "linux-image-6.12.1+deb13-cloud-amd64",
                "6.12.1-1",
                "Debian trixie pool/main/l/linux-signed-amd64/linux-image-6.12.1+deb13-cloud-amd64_6.12.1-1_amd64.deb",
                &[],
            ),
        ),
        ("my_motd", component("my_motd", "1", "files/motd", &[])),
        (
            "runc",
            component(
                runc,
                "v1.5.2",
                &format!("{runc}@v1.5.2"),
                &[net, "pkg:golang/github.com/opencontainers/runc@v1.5.2"],
            ),
        ),
    ];
    let part = |ecosystem, name: &str, version: &str, files: &[&str]| Part {
        ecosystem,
        name: name.into(),
        version: version.into(),
        source: Source::Registry,
        sum: if ecosystem == Ecosystem::Go { "h1:abc=".into() } else { String::new() },
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    };
    let parts = [
        part(Ecosystem::Go, "golang.org/x/net", "v0.35.0", &["root/usr/bin/runc"]),
        part(Ecosystem::Go, runc, "v1.5.2", &["root/usr/bin/runc"]),
        part(Ecosystem::Cargo, "nix", "0.31.3", &["initramfs/init", "root/usr/libexec/orlop/init"]),
    ];
    let input = |name: &str, version: &str, kind: &str, origin: &str, linked| Input {
        name: name.into(),
        version: version.into(),
        origin: parse(name, version, origin, Some(kind)),
        sha256: "cd".repeat(32),
        linked,
        used_by: vec!["runc".into()],
    };
    let seccomp = "Debian trixie pool/main/libs/libseccomp/libseccomp_2.6.0.orig.tar.gz";
    let inputs = [
        ("library.libseccomp", input("libseccomp", "2.6.0-2", "deb-source", seccomp, true)),
        ("toolchain.zig", input("ziglang", "0.17.1", "wheel", "ziglang==0.17.1", false)),
    ];
    Inventory {
        image: ImageFacts {
            name: "sample".into(),
            version: "1.2.3".into(),
            architecture: "x86_64".into(),
            class: "public".into(),
            root_hash: "12".repeat(32),
            uki_sha256: "34".repeat(32),
            kernel: "6.12.1+deb13-cloud-amd64".into(),
            command_line: "console=ttyS0 gpt panic=10 --".into(),
            sysctls: [("kernel.panic".to_owned(), "10".to_owned())].into(),
            epoch: 1_795_399_773,
        },
        files: files(),
        components: components.map(|(key, component)| (key.to_owned(), component)).into(),
        inputs: inputs.map(|(key, input)| (key.to_owned(), input)).into(),
        parts: parts.map(|part| (part.purl(), part)).into(),
        functions: BTreeMap::new(),
        patched: BTreeMap::new(),
        gaps: vec![Gap { file: "root/usr/bin/runc".into(), what: "what it was built from is not known: \"x\"".into() }],
    }
}

fn row(place: Place, path: &str, kind: Kind, component: &str) -> File {
    File {
        place,
        path: path.into(),
        kind,
        size: path.len() as u64,
        sha1: "01".repeat(20),
        sha256: "02".repeat(32),
        component: component.into(),
    }
}

fn files() -> Vec<File> {
    vec![
        row(Place::Esp, "/EFI/BOOT/BOOTX64.EFI", Kind::Archive, "image"),
        row(Place::Uki, ".initrd", Kind::Archive, "image"),
        row(Place::Uki, ".linux", Kind::Program, "kernel"),
        row(Place::Initramfs, "/init", Kind::Program, "init"),
        row(Place::Root, "/etc/motd \"<script>\" \u{202e}", Kind::Data, "my_motd"),
        row(Place::Root, "/usr/bin/mount", Kind::Link("../libexec/orlop/init".into()), "init"),
        row(Place::Root, "/usr/bin/runc", Kind::Program, "runc"),
        row(Place::Root, "/usr/libexec/orlop/init", Kind::Program, "init"),
    ]
}

/// An inventory of nothing at all.
pub fn empty() -> Inventory {
    Inventory {
        files: Vec::new(),
        components: BTreeMap::new(),
        inputs: BTreeMap::new(),
        parts: BTreeMap::new(),
        gaps: Vec::new(),
        ..inventory()
    }
}

/// A program in the root.
pub fn program(path: &str, component: &str) -> File {
    row(Place::Root, path, Kind::Program, component)
}

/// An inventory of one program, `/usr/bin/tool`, which the component `tool` brought: `example.com/tool` v1.2.3 from this origin.
pub fn of_program(origin: &str, bytes: &[u8]) -> Inventory {
    let (name, version) = ("example.com/tool", "v1.2.3");
    let origin = parse(name, version, origin, None);
    let fetched = (origin == Origin::Go).then_some((name, version));
    let (file, mut inventory) = (program("/usr/bin/tool", "tool"), empty());
    let parts = BTreeSet::new();
    let tool = Component { name: name.into(), version: version.into(), origin, sha256: String::new(), parts };
    inventory.components.insert("tool".into(), tool);
    inventory.take(parts::of_program(bytes, &file.name(), fetched), &file);
    inventory.files.push(file);
    inventory
}

/// An inventory of nothing but what the root's list says.
pub fn of_components(document: &Components) -> Inventory {
    Inventory {
        files: document.paths.iter().map(|(path, owner)| row(Place::Root, path, Kind::Data, owner)).collect(),
        components: read::components(document),
        inputs: read::inputs(document),
        ..empty()
    }
}

/// The sample image, with a module that was compiled from a folder.
pub fn with_a_folder() -> Inventory {
    let mut inventory = inventory();
    let module = inventory.parts.remove("pkg:golang/golang.org/x/net@v0.35.0").expect("the sample has it");
    let folder = Part { version: String::new(), source: Source::Folder, sum: String::new(), ..module };
    let runc = inventory.components.get_mut("runc").expect("the sample has it");
    runc.parts.retain(|part| !part.starts_with("pkg:golang/golang.org/x/net"));
    runc.parts.insert(folder.purl());
    inventory.parts.insert(folder.purl(), folder);
    inventory
}

/// Every key that a part is known by.
pub fn keys(inventory: &Inventory) -> BTreeSet<&String> {
    inventory.components.values().flat_map(|component| &component.parts).collect()
}

#[test]
fn the_sample_is_whole() {
    let inventory = inventory();
    assert_eq!(keys(&inventory), inventory.parts.keys().collect());
    assert!(inventory.files.iter().all(|file| inventory.components.contains_key(&file.component)));
    assert!(keys(&empty()).is_empty());
    let inventory = with_a_folder();
    assert_eq!(keys(&inventory), inventory.parts.keys().collect());
}
