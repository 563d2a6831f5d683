use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::*;
use crate::formats::go_binary::sample::{GO_1_20, blob, elf, table};
use crate::inventory::{File, Gap, Kind, Source, sample};
use crate::report::{cyclonedx, spdx};
use crate::scan::{By, Identity, Inventory, Package};
use crate::tree::{ComponentRecord, Components, InputRecord};

const TEXT: &str = "path\texample.com/tool/cmd/tool\n\
    mod\texample.com/tool\t(devel)\t\n\
    dep\tgolang.org/x/net\tv0.35.0\th1:two=\n\
    dep\tk8s.io/api\tv0.0.0\n\
    =>\tk8s.io/api\tv0.37.2\th1:three=\n\
    dep\texample.com/forked\tv1.0.0\n\
    =>\texample.com/fork\tv1.0.1\th1:four=\n\
    dep\texample.com/folder\tv0.0.0\n\
    =>\t./staging/folder\t\n";
const LINKED: [&str; 3] = ["main.main", "net/http.(*Client).Do", "golang.org/x/net/html.Parse"];

fn go(text: &str, linked: &[&str]) -> Vec<u8> {
    elf(&[(".go.buildinfo", blob("go1.26.8", text)), (".gopclntab", table(GO_1_20, linked, &[]))], true)
}

/// Of a program that was compiled from a module.
fn read(bytes: &[u8]) -> Inventory {
    of_inventory(&sample::of_program("example.com/tool@v1.2.3", bytes))
}

/// Of a program that lay beside the definition.
fn read_file(bytes: &[u8]) -> Inventory {
    of_inventory(&sample::of_program("files/tool", bytes))
}

fn names(reading: &Inventory) -> Vec<String> {
    let name = |Identity { ecosystem, name, version }: &Identity| {
        format!("{ecosystem} {name} {}", version.as_deref().unwrap_or("?"))
    };
    reading.packages.iter().map(|package| name(&package.identity)).collect()
}

fn only_reason(reading: &Inventory) -> &str {
    let [unjudged] = &reading.unjudged[..] else { panic!("{reading:?}") };
    assert_eq!((&*unjudged.what, &*unjudged.component), ("/usr/bin/tool", "tool"));
    &unjudged.reason
}

#[test]
fn a_go_programs_modules_are_those_that_were_compiled() {
    let reading = read(&go(TEXT, &LINKED));
    assert_eq!(
        names(&reading),
        [
            "Go example.com/tool v1.2.3",
            "Go example.com/folder ?",
            "Go example.com/fork v1.0.1",
            "Go golang.org/x/net v0.35.0",
            "Go k8s.io/api v0.37.2",
            "Go stdlib 1.26.8",
        ]
    );
    assert!(reading.unjudged.is_empty(), "{:?}", reading.unjudged);
    let functions = reading.packages[0].functions.as_ref().unwrap();
    assert!(functions.has("net/http", "Client.Do") && functions.has("example.com/tool/cmd/tool", "main"));
    assert!(reading.packages.iter().all(|package| package.functions.is_some() && package.path == "/usr/bin/tool"));
}

#[test]
fn a_go_program_without_build_information_is_named() {
    let reading = read(&elf(&[(".gopclntab", table(GO_1_20, &LINKED, &[]))], true));
    // What it was fetched as is known, and no more.
    assert_eq!(names(&reading), ["Go example.com/tool v1.2.3"]);
    assert!(only_reason(&reading).starts_with("a Go program without build information"), "{reading:?}");
}

#[test]
fn linked_packages_of_no_listed_module_are_named() {
    // As `go test -c` leaves it: the path, and no module.
    let linked = ["main.main", "golang.org/x/net/html.Parse", "a.b/c.F", "a.b/d.F", "a.b/e.F"];
    let reading = read(&go("path\texample.com/tool.test\n", &linked));
    assert_eq!(names(&reading), ["Go example.com/tool v1.2.3", "Go stdlib 1.26.8"]);
    let reason = only_reason(&reading);
    assert!(
        reason.starts_with("4 linked packages belong to no module") && reason.contains("a.b/e and 1 more"),
        "{reason}"
    );
}

#[test]
fn without_a_table_of_functions_modules_are_known_and_functions_are_not() {
    let reading = read(&elf(&[(".go.buildinfo", blob("devel go1.27", TEXT))], true));
    assert_eq!((reading.packages.len(), names(&reading)[5].as_str()), (6, "Go stdlib ?"));
    assert!(reading.packages.iter().all(|package| package.functions.is_none()));
    assert!(only_reason(&reading).contains("as if all of their functions were in it"), "{reading:?}");
}

fn audited(json: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(json).unwrap();
    elf(&[(".dep-v0", packed.finish().unwrap())], true)
}

#[test]
fn a_rust_programs_crates_are_those_of_its_list() {
    let json = br#"{"packages": [
        {"name": "tool", "version": "0.1.0", "source": "local", "dependencies": [1], "root": true},
        {"name": "orlop-chain", "version": "0.1.0", "source": "local"},
        {"name": "smallvec", "version": "0.6.2", "source": "crates.io"},
        {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
        {"name": "tar", "version": "0.4.44", "source": "git", "kind": "runtime"}], "format": 1}"#;
    let reading = read_file(&audited(json));
    assert_eq!(names(&reading), ["crates.io smallvec 0.6.2", "crates.io tar 0.4.44"]);
    assert!(reading.unjudged.is_empty());
}

#[test]
fn what_says_nothing_or_nonsense_cannot_be_judged() {
    for (bytes, wanted) in [
        (elf(&[(".text", vec![0])], true), "neither a Go program nor one with a list of its crates"),
        (elf(&[(".dep-v0", b"nonsense".to_vec())], true), "its list of crates cannot be read: zlib"),
        (audited(b"{}"), "missing field `packages`"),
        (audited(&vec![b' '; 9 << 20]), "it unpacks to more than 8388608 bytes"),
        (b"#!/bin/sh\n".to_vec(), "is no ELF file"),
    ] {
        let reading = read_file(&bytes);
        assert!(reading.packages.is_empty() && only_reason(&reading).contains(wanted), "{reading:?}");
    }
}

#[test]
fn debians_packages_are_named_by_their_source() {
    let record = |version: &str, origin: &str| ComponentRecord {
        kind: None,
        name: "x".into(),
        version: version.into(),
        origin: origin.into(),
        sha256: String::new(),
    };
    let pool = "pool/main/l/linux-signed-amd64/linux-image-6.12.117+deb13-cloud-amd64_6.12.117-1_amd64.deb";
    let components = BTreeMap::from([
        ("kernel".to_owned(), record("6.12.117-1", &format!("Debian trixie {pool}"))),
        (
            "stub".to_owned(),
            record("257.8-1~deb13u2+b1", "Debian trixie pool/main/s/systemd/systemd-boot-efi_x_amd64.deb"),
        ),
        ("odd".to_owned(), record("1-1", "Debian sid pool/main/o/odd/odd_1-1_amd64.deb")),
        ("other".to_owned(), record("1-1", "Other CE trixie pool/main/o/other/other_1-1_amd64.deb")),
        ("kubelet".to_owned(), record("v1.37.2", "k8s.io/kubernetes@v1.37.2")),
    ]);
    let module = |name: &str| (format!("/usr/lib/modules/6.12/{name}"), "kernel".to_owned());
    let library = InputRecord {
        kind: "deb-source".into(),
        name: "libseccomp".into(),
        version: "2.6.0-2".into(),
        origin: "Debian trixie pool/main/libs/libseccomp/libseccomp_2.6.0.orig.tar.gz".into(),
        sha256: String::new(),
        linked: true,
        used_by: vec!["kubelet".into()],
    };
    let tool = InputRecord { linked: false, ..library.clone() };
    let inputs = BTreeMap::from([("library.libseccomp".to_owned(), library), ("tool.x".to_owned(), tool)]);
    let paths = BTreeMap::from([module("a.ko"), module("b.ko"), ("/usr/bin/kubelet".into(), "kubelet".into())]);
    let components = Components { version: 1, components, inputs, lines: BTreeMap::new(), paths };
    let reading = of_inventory(&sample::of_components(&components));
    // A library is compiled as its upstream made it, without Debian's patches.
    assert_eq!(
        names(&reading),
        ["Debian:13 linux 6.12.117-1", "Debian:13 systemd 257.8-1~deb13u2", "Debian:13 libseccomp 2.6.0"]
    );
    assert_eq!((&*reading.packages[2].path, &*reading.packages[2].by.version), ("/usr/bin/kubelet", "v1.37.2"));
    let kernel = &reading.packages[0];
    assert_eq!((&*kernel.path, &*kernel.by.version), ("/usr/lib/modules/6.12/", "6.12.117-1"));
    let otherwise = kernel.otherwise.as_ref().unwrap();
    assert_eq!((&*otherwise.ecosystem, otherwise.version.as_deref()), ("Linux", Some("6.12.117")));
    let [odd, other] = &reading.unjudged[..] else { panic!("{:?}", reading.unjudged) };
    assert!(odd.what == "odd" && odd.reason.contains(r#"Debian's suite "sid""#), "{odd:?}");
    assert!(other.component == "other" && other.reason.contains("an archive that is not Debian's"), "{other:?}");
}

#[test]
fn rusts_standard_library_is_in_what_its_toolchain_compiled() {
    let toolchain = InputRecord {
        kind: "rust-toolchain".into(),
        name: "rust".into(),
        version: "1.95.0".into(),
        origin: "Rust 1.95.0".into(),
        sha256: String::new(),
        linked: false,
        used_by: vec!["cri".into(), "init".into()],
    };
    let musl = InputRecord { kind: "carried".into(), linked: true, ..toolchain.clone() };
    let record = ComponentRecord {
        kind: Some("workspace".into()),
        name: "orlop-init".into(),
        version: "0.1.0".into(),
        origin: "orlop 0.1.0".into(),
        sha256: String::new(),
    };
    let components = Components {
        version: 1,
        components: BTreeMap::from([("cri".to_owned(), record.clone()), ("init".to_owned(), record)]),
        lines: BTreeMap::new(),
        inputs: BTreeMap::from([("toolchain.rust".to_owned(), toolchain), ("toolchain.rust.musl".to_owned(), musl)]),
        paths: BTreeMap::from([("/usr/libexec/orlop/init".to_owned(), "init".to_owned())]),
    };
    let reading = of_inventory(&sample::of_components(&components));
    let rows: Vec<_> = reading.packages.iter().map(|package| (&*package.by.component, &*package.path)).collect();
    assert_eq!(rows, [("cri", ""), ("init", "/usr/libexec/orlop/init")]);
    assert_eq!(names(&reading), ["Rust std 1.95.0", "Rust std 1.95.0"]);
    // musl, which it links in.
    assert_eq!(reading.unjudged[0].component, "cri, init");
}

/// A daemon and its shim of one module, which is in a container image, too.
fn shared() -> crate::inventory::Inventory {
    let mut inventory = sample::inventory();
    inventory.components.insert("shim".into(), inventory.components["runc"].clone());
    let preloaded = "/usr/share/orlop/preload/localhost+x:1.tar";
    inventory.files.push(sample::program("/usr/bin/shim", "shim"));
    inventory.files.push(File { kind: Kind::Archive, ..sample::program(preloaded, "my_motd") });
    let part = inventory.parts.get_mut("pkg:golang/github.com/opencontainers/runc@v1.5.2").unwrap();
    part.files.extend(["root/usr/bin/shim".to_owned(), format!("root{preloaded}")]);
    inventory
}

/// Packages at their places, and what cannot be judged. Of functions documents say nothing.
fn rows(inventory: &Inventory) -> [Vec<String>; 2] {
    let package =
        |Package { identity, otherwise, by, path, .. }: &Package| format!("{identity:?} {otherwise:?} {by:?} {path}");
    let mut packages: Vec<String> = inventory.packages.iter().map(package).collect();
    let mut unjudged: Vec<String> = inventory.unjudged.iter().map(|one| format!("{one:?}")).collect();
    packages.sort();
    unjudged.sort();
    [packages, unjudged]
}

/// Two things are not known of one file, and the second begins as the comment of a link does.
fn with_gaps() -> crate::inventory::Inventory {
    let mut inventory = sample::inventory();
    let what = "symbolic link to x: what it is made of is not known".to_owned();
    inventory.gaps.push(Gap { what, ..inventory.gaps[0].clone() });
    inventory
}

#[test]
fn the_lists_that_are_made_of_an_inventory_have_the_packages_that_the_inventory_has() {
    let json = br#"{"packages": [
        {"name": "orlop-chain", "version": "0.1.0", "source": "local"},
        {"name": "patched", "version": "1.0.0", "source": "local"},
        {"name": "tar", "version": "0.4.44", "source": "git"}], "format": 1}"#;
    let module = "example.com/tool@v1.2.3";
    for inventory in [
        sample::inventory(),
        sample::with_a_folder(),
        shared(),
        with_gaps(),
        sample::of_program(module, &go(TEXT, &LINKED)),
        sample::of_program(module, &elf(&[(".gopclntab", table(GO_1_20, &LINKED, &[]))], true)),
        sample::of_program("files/tool", &audited(json)),
    ] {
        let image = of_inventory(&inventory);
        assert!(!image.packages.is_empty());
        for document in [cyclonedx::render(&inventory, None), spdx::render(&inventory, None)] {
            let list = sbom::parse(document.as_bytes()).unwrap();
            assert_eq!(rows(&image), rows(&list));
            assert_eq!((&image.image, &image.version, image.own), (&list.image, &list.version, list.own));
            assert_eq!(image.architecture, list.architecture);
        }
    }
}

#[test]
fn programs_of_a_container_image_are_looked_at_and_its_distribution_is_not() {
    let reading = of_inventory(&shared());
    let places: Vec<(&str, &By)> = reading
        .packages
        .iter()
        .filter(|package| package.identity.name == "github.com/opencontainers/runc")
        .map(|package| (&*package.path, &package.by))
        .collect();
    let paths: Vec<_> = places.iter().map(|(path, by)| (*path, &*by.component)).collect();
    assert_eq!(
        paths,
        [
            ("/usr/bin/runc", "runc"),
            ("/usr/share/orlop/preload/localhost+x:1.tar", "my_motd"),
            ("/usr/bin/shim", "shim"),
        ]
    );
    let named = reading.unjudged.iter().find(|unjudged| unjudged.what.ends_with(".tar")).unwrap();
    assert!(
        named.component == "my_motd" && named.reason.contains("the packages of its distribution are not"),
        "{named:?}"
    );
}

#[test]
fn crates_of_this_repository_are_not_looked_for_and_those_of_folders_have_no_version() {
    let json = br#"{"packages": [
        {"name": "orlop-chain", "version": "0.1.0", "source": "local"},
        {"name": "patched", "version": "1.0.0", "source": "local"}], "format": 1}"#;
    let inventory = sample::of_program("files/tool", &audited(json));
    let sources: Vec<_> = inventory.parts.values().map(|part| (&*part.name, part.source)).collect();
    assert_eq!(sources, [("orlop-chain", Source::Own), ("patched", Source::Folder)]);
    assert_eq!(names(&of_inventory(&inventory)), ["crates.io patched ?"]);
}

proptest! {
    #[test]
    fn any_list_of_crates_has_an_answer(json in r#"(\{"packages": \[)?[\[\]{}a-z":,0-9 ]{0,60}"#, tail: Vec<u8>) {
        let reading = read_file(&audited(json.as_bytes()));
        prop_assert!(reading.packages.is_empty() || reading.unjudged.is_empty());
        read(&[b"\x7fELF".to_vec(), tail].concat());
    }
}
