//! The crates in our own programs, as the format's own reader finds them (the one that `cargo audit bin` has), beside what cargo
//! itself says that they are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use auditable_info::{Error, Limits, audit_info_from_slice};
use orlop::formats::cpio;
use orlop::image::licences::Licences;
use orlop::image::open::Image;
use orlop::sources::{Owner, RUST_TARGET};

use crate::support::{cluster_image, image, names, orlop, run, workspace};
use crate::tools::{says, tool};
use crate::witnesses::{Parts, preloaded};

/// Name and version.
type Crate = (String, String);

/// What a program says that it was made of.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    /// What is in it, itself too.
    runtime: BTreeSet<Crate>,
    /// That, and what only took part in the build.
    all: BTreeSet<Crate>,
}

/// Package → what its programs in an image say, which is the same in each.
fn programs(image: &Path) -> BTreeMap<String, Made> {
    let mut programs: BTreeMap<String, Made> = BTreeMap::new();
    let mut take = |bytes: &[u8]| {
        let Some((package, made)) = read(bytes) else { return };
        if let Some(before) = programs.get(&package) {
            assert_eq!(*before, made, "{package}: two programs of one package");
        }
        programs.insert(package, made);
    };
    let parts = Parts::of(image);
    let root = parts.root();
    for folder in ["usr/bin", "usr/libexec/orlop", "usr/libexec/cni"].map(|folder| root.join(folder)) {
        for path in names(&folder).into_iter().map(|name| folder.join(name)) {
            if path.is_file() && !path.is_symlink() {
                take(&fs::read(path).unwrap());
            }
        }
    }
    let preload = root.join("usr/share/orlop/preload");
    for archive in names(&preload) {
        preloaded(&preload.join(archive)).iter().for_each(|(_, bytes)| take(bytes));
    }
    let initramfs = Image::open(image).unwrap().uki().unwrap().initramfs;
    let members = cpio::read(&initramfs).unwrap();
    take(members.into_iter().find(|member| member.path == "init").unwrap().bytes);
    programs
}

/// As the foreign reader reads it; `None` for a program that is not ours.
fn read(program: &[u8]) -> Option<(String, Made)> {
    let info = match audit_info_from_slice(program, Limits::default().decompressed_json_size) {
        Ok(info) => info,
        Err(Error::NoAuditData | Error::BinaryParsing(_)) => return None,
        Err(error) => panic!("{error}"),
    };
    let root = info.packages.iter().find(|one| one.root).expect("the program's own crate").name.clone();
    let mut made = Made { runtime: BTreeSet::new(), all: BTreeSet::new() };
    for one in info.packages {
        let name = (one.name, one.version.to_string());
        // The format's default: in the program.
        if one.kind == Default::default() {
            made.runtime.insert(name.clone());
        }
        made.all.insert(name);
    }
    Some((root, made))
}

/// What cargo says that a package is made of, along these edges of its graph, with what each crate declares to be licensed under.
fn tree(package: &str, edges: &str) -> BTreeMap<Crate, String> {
    let mut cargo = tool("cargo");
    cargo.current_dir(workspace()).args(["tree", "--locked", "--package", package, "--target", RUST_TARGET]);
    let said = says(cargo.args(["--edges", edges, "--prefix", "none", "--format", "{p}|{l}"]));
    let line = |line: &str| {
        // `nix v0.31.3|MIT`, `serde_derive v1.0.1 (proc-macro)|MIT OR Apache-2.0 (*)`: what stands there for the second time.
        let (package, licence) = line.split_once('|').unwrap_or_else(|| panic!("{line}"));
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap().strip_prefix('v').unwrap());
        ((name.to_owned(), version.to_owned()), licence.trim_end_matches(" (*)").to_owned())
    };
    said.lines().filter(|text| !text.is_empty()).map(line).collect()
}

fn crates(package: &str, edges: &str) -> BTreeSet<Crate> {
    tree(package, edges).into_keys().collect()
}

#[test]
fn every_one_of_our_programs_is_made_of_what_cargo_says() {
    let mut programs: BTreeMap<String, Made> = programs(&image());
    programs.extend(self::programs(&cluster_image()));
    let ours = names(&workspace().join("node")).into_iter().chain(["init".to_owned()]);
    let ours: BTreeSet<String> = ours.map(|name| format!("orlop-{name}")).collect();
    assert_eq!(programs.keys().cloned().collect::<BTreeSet<_>>(), ours);
    for (package, made) in programs {
        // What a procedural macro is made of took part in the build.
        assert_eq!(made.runtime, crates(&package, "normal,no-proc-macro"), "{package}");
        assert_eq!(made.all, crates(&package, "normal,build"), "{package}");
    }
}

#[test]
fn the_list_of_crates_is_what_the_foreign_reader_finds() {
    let document = run(orlop().args(["sbom", "--format", "cyclonedx"]).arg(image())).json();
    let dependencies = document["dependencies"].as_array().unwrap();
    let programs = programs(&image());
    let init = &programs["orlop-init"];
    for file in ["file:root/usr/libexec/orlop/init", "file:initramfs/init"] {
        let row = dependencies.iter().find(|row| row["ref"] == file).unwrap_or_else(|| panic!("{file}"));
        let listed: BTreeSet<&str> =
            row["dependsOn"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let others = init.runtime.iter().filter(|(name, _)| name != "orlop-init");
        // `+` of build metadata is `%2B` in a package URL.
        let theirs: BTreeSet<String> =
            others.map(|(name, version)| format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))).collect();
        assert_eq!(listed, theirs.iter().map(String::as_str).collect(), "{file}");
    }
}

/// Out of the manifests that were fetched for the build, and out of those that cargo has here.
#[test]
fn crates_declare_the_licences_that_cargo_tells() {
    let licences = fs::read(image().with_extension("licences.json")).expect("the build wrote it");
    let licences = Licences::parse(&licences).unwrap();
    let theirs: BTreeMap<Crate, String> =
        programs(&image()).keys().flat_map(|package| tree(package, "normal")).collect();
    let mut seen = 0;
    for package in licences.packages.iter().filter(|package| package.owner == Owner::Cargo) {
        let theirs = &theirs[&(package.name.clone(), package.version.clone())];
        // `MIT/Apache-2.0`, as it once was written.
        let theirs: Vec<String> = theirs.replace('/', " OR ").split_whitespace().map(str::to_owned).collect();
        assert_eq!(package.declared, Some(theirs.join(" ")), "{}", package.label());
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}
