use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::*;
use crate::formats::go_binary::sample::{GO_1_20, blob, elf, table};
use crate::scan::Identity;
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

fn read(bytes: &[u8]) -> Reading {
    let by = By { component: "tool".into(), version: "v1.2.3".into() };
    let mut reading = Reading::default();
    reading.program(Program { path: "/usr/bin/tool", by: &by, origin: "example.com/tool@v1.2.3", bytes });
    reading
}

fn names(reading: &Reading) -> Vec<String> {
    let name = |Identity { ecosystem, name, version }: &Identity| {
        format!("{ecosystem} {name} {}", version.as_deref().unwrap_or("?"))
    };
    reading.packages.iter().map(|package| name(&package.identity)).collect()
}

fn only_reason(reading: &Reading) -> &str {
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
            "Go stdlib 1.26.8",
            "Go example.com/tool v1.2.3",
            "Go golang.org/x/net v0.35.0",
            "Go k8s.io/api v0.37.2",
            "Go example.com/forked ?",
            "Go example.com/fork v1.0.1",
            "Go example.com/folder ?",
        ]
    );
    assert!(reading.unjudged.is_empty(), "{:?}", reading.unjudged);
    let functions = reading.packages[0].functions.as_ref().unwrap();
    assert!(functions.has("net/http", "Client.Do") && functions.has("example.com/tool/cmd/tool", "main"));
    // Its functions are in the program by the other path.
    assert!(reading.packages[5].functions.is_none() && reading.packages[4].functions.is_some());
}

#[test]
fn a_go_program_without_build_information_is_named() {
    let reading = read(&elf(&[(".gopclntab", table(GO_1_20, &LINKED, &[]))], true));
    assert!(reading.packages.is_empty());
    assert!(only_reason(&reading).starts_with("a Go program without build information"), "{reading:?}");
}

#[test]
fn linked_packages_of_no_listed_module_are_named() {
    // As `go test -c` leaves it: the path, and no module.
    let linked = ["main.main", "golang.org/x/net/html.Parse", "a.b/c.F", "a.b/d.F", "a.b/e.F"];
    let reading = read(&go("path\texample.com/tool.test\n", &linked));
    assert_eq!(names(&reading), ["Go stdlib 1.26.8"]);
    let reason = only_reason(&reading);
    assert!(
        reason.starts_with("4 linked packages belong to no module") && reason.contains("a.b/e and 1 more"),
        "{reason}"
    );
}

#[test]
fn without_a_table_of_functions_modules_are_known_and_functions_are_not() {
    let reading = read(&elf(&[(".go.buildinfo", blob("devel go1.27", TEXT))], true));
    assert_eq!((reading.packages.len(), names(&reading)[0].as_str()), (7, "Go stdlib ?"));
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
        {"name": "smallvec", "version": "0.6.2", "source": "crates.io"},
        {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
        {"name": "tar", "version": "0.4.44", "source": "git", "kind": "runtime"}], "format": 1}"#;
    let reading = read(&audited(json));
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
        let reading = read(&bytes);
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
    let (packages, unjudged) = debian::packages(&components);
    let reading = Reading { packages, unjudged };
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
    assert_eq!(reading.unjudged.len(), 1);
    assert!(reading.unjudged[0].reason.contains(r#"Debian's suite "sid""#), "{:?}", reading.unjudged);
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
    let components = Components {
        version: 1,
        components: BTreeMap::new(),
        lines: BTreeMap::new(),
        inputs: BTreeMap::from([("toolchain.rust".to_owned(), toolchain), ("toolchain.rust.musl".to_owned(), musl)]),
        paths: BTreeMap::from([("/usr/libexec/orlop/init".to_owned(), "init".to_owned())]),
    };
    let packages = crates::standard_library(&components);
    let rows: Vec<_> = packages.iter().map(|package| (&*package.by.component, &*package.path)).collect();
    assert_eq!(rows, [("cri", ""), ("init", "/usr/libexec/orlop/init")]);
    let reading = Reading { packages, unjudged: Vec::new() };
    assert_eq!(names(&reading), ["Rust std 1.95.0", "Rust std 1.95.0"]);
}

proptest! {
    #[test]
    fn any_list_of_crates_has_an_answer(json in r#"(\{"packages": \[)?[\[\]{}a-z":,0-9 ]{0,60}"#, tail: Vec<u8>) {
        let reading = read(&audited(json.as_bytes()));
        prop_assert!(reading.packages.is_empty() || reading.unjudged.is_empty());
        read(&[b"\x7fELF".to_vec(), tail].concat());
    }
}
