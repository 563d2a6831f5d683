//! `orlop sbom` over the image as it was built: its files as `fsck.erofs` unpacks them, its Go modules as `go version -m` prints
//! them, and documents that do not depend on what lies beside the image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::formats::go_binary;
use orlop::image::open::Image;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::go_programs::{go, go_programs};
use crate::support::{image, names, orlop, run, workspace};
use crate::tools::{says, tool};
use crate::witnesses::Parts;

fn sbom(image: &Path, format: &str) -> Value {
    run(orlop().args(["sbom", "--format", format]).arg(image)).json()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn sums(bytes: &[u8]) -> [String; 2] {
    [hex::encode(Sha1::digest(bytes)), hex::encode(Sha256::digest(bytes))]
}

/// `PLACE/PATH` → SHA-1 and SHA-256, of all regular files below a folder.
fn hashed(place: &str, folder: &Path) -> BTreeMap<String, [String; 2]> {
    let mut found = BTreeMap::new();
    for name in names(folder) {
        let (path, name) = (folder.join(&name), format!("{place}/{name}"));
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            found.extend(hashed(&name, &path));
        } else {
            found.insert(name, sums(&fs::read(&path).unwrap()));
        }
    }
    found
}

/// The same, as a document in SPDX has it.
fn listed(document: &Value, place: &str) -> BTreeMap<String, [String; 2]> {
    let below = format!("{place}/");
    let is_file = |file: &&Value| {
        text(file, "fileName").starts_with(&below) && !text(file, "comment").starts_with("symbolic link")
    };
    let row = |file: &Value| {
        let sum = |at: usize| text(&file["checksums"][at], "checksumValue").to_owned();
        (text(file, "fileName").to_owned(), [sum(0), sum(1)])
    };
    document["files"].as_array().unwrap().iter().filter(is_file).map(row).collect()
}

#[test]
fn every_file_has_the_hashes_that_fsck_erofs_gives_it() {
    let parts = Parts::new();
    let theirs = hashed("./root", &parts.root());
    assert!(theirs.len() > 100, "{}", theirs.len());
    assert_eq!(listed(&sbom(&image(), "spdx"), "./root"), theirs);
}

/// The UKI as it lies beside the image, its sections as `ukify` reads them, the initramfs as `cpio` unpacks it.
#[test]
fn what_boots_the_root_has_the_hashes_that_others_give_it() {
    let parts = Parts::new();
    let document = sbom(&image(), "spdx");
    let beside = image().with_extension("efi");
    let on_the_esp = BTreeMap::from([("./esp/EFI/BOOT/BOOTX64.EFI".to_owned(), sums(&fs::read(&beside).unwrap()))]);
    assert_eq!(listed(&document, "./esp"), on_the_esp);

    let theirs = parts.ukify(&beside);
    let sections: BTreeMap<String, &str> =
        theirs.iter().map(|(name, section)| (format!("./uki/{name}"), text(section, "sha256"))).collect();
    let ours = listed(&document, "./uki");
    let ours: BTreeMap<String, &str> = ours.iter().map(|(name, [_, sha256])| (name.clone(), &**sha256)).collect();
    assert_eq!(ours, sections);

    let initramfs = Image::open(&image()).unwrap().uki().unwrap().initramfs;
    assert_eq!(text(&theirs[".initrd"], "sha256"), sums(&initramfs)[1], "cpio is given what ukify reads");
    let (archive, members) = (parts.path("initramfs.cpio"), parts.path("members"));
    fs::write(&archive, initramfs).unwrap();
    fs::create_dir(&members).unwrap();
    // All but the device, which only root can make.
    let mut cpio = tool("cpio");
    cpio.args(["-i", "--quiet", "--make-directories", "--nonmatching", "dev/console"]).current_dir(&members);
    says(cpio.stdin(fs::File::open(&archive).unwrap()));
    let theirs = hashed("./initramfs", &members);
    assert!(theirs.contains_key("./initramfs/init") && theirs.len() > 10, "{:?}", theirs.keys());
    assert_eq!(listed(&document, "./initramfs"), theirs);
}

/// Nobody decided that it should lie there: there is no document, and the file is named.
#[test]
fn a_file_beside_the_uki_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, extra, out) =
        (folder.path().join("copy.raw"), folder.path().join("extra"), folder.path().join("sbom.json"));
    says(tool("cp").arg("--sparse=always").arg(image()).arg(&raw));
    run(orlop().arg("sbom").arg(&raw)).done();
    fs::write(&extra, "nobody's").unwrap();
    let inspection = run(orlop().args(["inspect", "--json"]).arg(&raw)).json();
    let partitions = inspection["partitions"].as_array().unwrap();
    let esp = partitions.iter().find(|row| row["name"] == "esp").unwrap()["offset"].as_u64().unwrap();
    let mut mcopy = tool("mcopy");
    mcopy.env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(format!("{}@@{esp}", raw.display()));
    says(mcopy.arg(&extra).arg("::/EFI/BOOT/EXTRA.EFI"));
    let says = ["EXTRA.EFI on the ESP: no component owns this file (the UKI lies alone there)"];
    for format in ["spdx", "cyclonedx"] {
        run(orlop().args(["sbom", "--format", format]).arg(&raw)).fails(1, &says);
    }
    run(orlop().arg("sbom").arg(&raw).arg("--output").arg(&out)).fails(1, &says);
    run(orlop().arg("diff").arg(image()).arg(&raw)).fails(1, &says);
    assert_eq!(names(folder.path()), ["copy.raw", "extra"]);
}

#[test]
fn every_go_module_is_one_that_go_itself_reads() {
    let parts = Parts::new();
    let root = parts.root();
    let mut theirs: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for program in go_programs(&root) {
        let said = says(go().args(["version", "-m"]).arg(&program));
        let mut lines = said.lines();
        let version = lines.next().unwrap().rsplit_once(": go").unwrap().1.to_owned();
        let name = format!("root/{}", program.strip_prefix(&root).unwrap().display());
        let mut modules = vec![("stdlib".to_owned(), version)];
        for line in lines {
            let words: Vec<&str> = line.split('\t').filter(|word| !word.is_empty()).collect();
            match words[..] {
                ["mod" | "dep", path, version, ..] => modules.push((path.into(), version.into())),
                ["=>", path, version, ..] if version != "(devel)" => {
                    *modules.last_mut().unwrap() = (path.into(), version.into());
                }
                // A folder, of which nobody knows the version.
                ["=>", ..] => modules.last_mut().unwrap().1.clear(),
                _ => {}
            }
        }
        theirs.insert(name, modules.into_iter().collect());
    }
    let document = sbom(&image(), "cyclonedx");
    let mut ours: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    let components = document["components"].as_array().unwrap();
    let by_reference: BTreeMap<&str, &Value> = components.iter().map(|row| (text(row, "bom-ref"), row)).collect();
    for row in document["dependencies"].as_array().unwrap() {
        let Some(file) = text(row, "ref").strip_prefix("file:").filter(|file| theirs.contains_key(*file)) else {
            continue;
        };
        for reference in row["dependsOn"].as_array().unwrap() {
            let part = by_reference[reference.as_str().unwrap()];
            let module = (text(part, "name").to_owned(), text(part, "version").to_owned());
            ours.entry(file.into()).or_default().insert(module);
        }
    }
    assert!(theirs.len() >= 5, "{:?}", theirs.keys());
    assert_eq!(ours, theirs);
}

#[test]
fn our_own_programs_say_their_crates() {
    let document = sbom(&image(), "cyclonedx");
    let dependencies = document["dependencies"].as_array().unwrap();
    let row =
        dependencies.iter().find(|row| row["ref"] == "file:root/usr/libexec/orlop/init").expect("init has crates");
    let crates: Vec<&str> = row["dependsOn"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for name in ["pkg:cargo/nix@", "pkg:cargo/ed25519-dalek@", "pkg:cargo/orlop-chain@"] {
        assert!(crates.iter().any(|found| found.starts_with(name)), "{name}: {crates:?}");
    }
    // Nothing in the image keeps to itself what it was built from.
    assert_eq!(document["compositions"], Value::Null);
}

#[test]
fn debian_sources_toolchains_and_libraries_are_named() {
    let document = sbom(&image(), "spdx");
    let packages = document["packages"].as_array().unwrap();
    let named = |name: &str| {
        let found = packages.iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("{name}"))["SPDXID"].as_str().unwrap()
    };
    let relationships = document["relationships"].as_array().unwrap();
    let related = |from: &str, kind: &str, to: &str| {
        relationships.iter().any(|row| {
            row["spdxElementId"] == from && row["relationshipType"] == kind && row["relatedSpdxElement"] == to
        })
    };
    assert!(related("SPDXRef-Component-kernel", "GENERATED_FROM", named("linux")));
    assert!(related("SPDXRef-Component-stub", "GENERATED_FROM", named("systemd")));
    assert!(related("SPDXRef-Component-runc", "STATIC_LINK", named("libseccomp")));
    assert!(related("SPDXRef-Component-runc", "STATIC_LINK", "SPDXRef-Input-toolchain.zig.musl"));
    assert!(related("SPDXRef-Component-init", "STATIC_LINK", "SPDXRef-Input-toolchain.rust.musl"));
    assert!(related(named("ziglang"), "BUILD_TOOL_OF", "SPDXRef-Component-runc"));
    assert!(related(named("rust"), "BUILD_TOOL_OF", "SPDXRef-Component-init"));
    assert!(related(named("golang.org/toolchain"), "BUILD_TOOL_OF", "SPDXRef-Component-kubelet"));
    assert!(related(named("erofs-utils"), "BUILD_TOOL_OF", "SPDXRef-Image"));
}

/// Validates what it is given by the schema of CycloneDX 1.6, and nothing that the schema does not know is taken.
pub const CYCLONEDX: &str = r#"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(None if error is None else str(error))
"#;

/// Python with the validators that `make test` installs.
pub fn python() -> Command {
    let folder = std::env::var_os("ORLOP_TEST_VALIDATORS").map(PathBuf::from).filter(|folder| folder.is_dir());
    let how =
        "`make test` installs them, or name a folder with ORLOP_TEST_VALIDATORS (builder/tests/image/validators.txt)";
    let folder = folder.unwrap_or_else(|| panic!("the validators of SPDX, CycloneDX and SARIF are missing: {how}"));
    let mut python = tool("python3");
    python.arg("-B").env("PYTHONPATH", folder);
    python
}

#[test]
fn the_standards_own_validators_accept_both_documents() {
    let folder = tempfile::tempdir().unwrap();
    let write = |format: &str, name: &str| {
        let path = folder.path().join(name);
        run(orlop().args(["sbom", "--format", format]).arg(image()).arg("--output").arg(&path)).done();
        path
    };
    let accepted = |path: &Path, change: &dyn Fn(&mut Value)| {
        let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        change(&mut document);
        let changed = path.with_file_name(format!("changed.{}", path.file_name().unwrap().display()));
        fs::write(&changed, document.to_string()).unwrap();
        let mut python = python();
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => python.args(["-m", "spdx_tools.spdx.clitools.pyspdxtools", "--infile"]),
            _ => python.args(["-c", CYCLONEDX]),
        };
        let output = python.arg(&changed).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let spdx = write("spdx", "sbom.spdx.json");
    let (good, said) = accepted(&spdx, &|_| {});
    assert!(good, "{said}");
    // As of a module that was compiled from a folder.
    let (good, said) = accepted(&spdx, &|document| {
        let mut packages = document["packages"].as_array_mut().unwrap().iter_mut();
        let part = packages.find(|row| text(row, "SPDXID").starts_with("SPDXRef-Part-")).unwrap();
        part.as_object_mut().unwrap().remove("versionInfo").unwrap();
        part["sourceInfo"] = "compiled from a folder: its version is not known".into();
    });
    assert!(good, "{said}");
    // They do look.
    assert!(!accepted(&spdx, &|document| document["relationships"][0]["relatedSpdxElement"] = "SPDXRef-No".into()).0);
    let cyclonedx = write("cyclonedx", "sbom.cdx");
    let (good, said) = accepted(&cyclonedx, &|_| {});
    assert!(good, "{said}");
    let (good, said) = accepted(&cyclonedx, &|document| {
        let mut components = document["components"].as_array_mut().unwrap().iter_mut();
        let part = components.find(|row| text(row, "bom-ref").starts_with("pkg:")).unwrap();
        part.as_object_mut().unwrap().remove("version").unwrap();
        part["properties"] = json!([{"name": "orlop:source", "value": "folder"}]);
    });
    assert!(good, "{said}");
    assert!(!accepted(&cyclonedx, &|document| document["components"][0]["type"] = "nothing".into()).0);
}

/// Elsewhere, with nothing beside it, under another name and with an empty cache.
#[test]
fn the_image_alone_gives_the_same_document() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("other.raw");
    std::os::unix::fs::symlink(fs::canonicalize(image()).unwrap(), &alone).unwrap();
    for format in ["spdx", "cyclonedx"] {
        let here = run(orlop().args(["sbom", "--format", format]).arg(image()));
        let output = folder.path().join(format);
        let mut there = orlop();
        there.args(["sbom", "other.raw", "--format", format, "--output"]).arg(&output).current_dir(folder.path());
        there.env("ORLOP_CACHE", folder.path().join("cache")).env("HOME", folder.path()).env("TZ", "Asia/Kathmandu");
        assert_eq!(run(&mut there).done(), "");
        assert_eq!(fs::read_to_string(&output).unwrap(), here.done(), "{format}");
    }
    assert_eq!(names(folder.path()), ["cyclonedx", "other.raw", "spdx"]);
}

/// What was read of a program is what it says, whoever asks.
#[test]
fn modules_have_the_sums_that_the_program_carries() {
    let parts = Parts::new();
    let root = parts.root();
    let bytes = fs::read(root.join("usr/bin/runc")).unwrap();
    let info = go_binary::build_info(&bytes, "runc").unwrap();
    let document = sbom(&image(), "cyclonedx");
    let components = document["components"].as_array().unwrap();
    let mut seen = 0;
    for module in info.dependencies.iter().filter(|module| module.replaced_by.is_none() && !module.sum.is_empty()) {
        let part = components.iter().find(|row| row["name"] == module.path && row["version"] == module.version);
        let part = part.unwrap_or_else(|| panic!("{}", module.path));
        let sum = part["properties"].as_array().unwrap().iter().find(|row| row["name"] == "orlop:go-sum");
        // The component that the module itself is was fetched by it, and says it in the lockfile.
        if let Some(sum) = sum {
            assert_eq!(sum["value"], module.sum, "{}", module.path);
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

/// The probe image adds one pod to the shipped one.
#[test]
fn diff_names_what_one_image_has_more() {
    let named = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = named.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    let difference = run(orlop().args(["diff", "--json"]).arg(image()).arg(probe)).json();
    let changed: Vec<&str> = difference["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(row, "file"))
        .filter(|file| file.starts_with("root/"))
        .collect();
    let promised = [
        "root/etc/kubernetes/manifests/probe.yaml",
        "root/usr/share/orlop/components.json",
        "root/usr/share/orlop/preload/localhost+probe:1.tar",
    ];
    assert_eq!(changed, promised);
    assert!(difference["components"].as_array().unwrap().iter().any(|row| row["what"] == "probe"), "{difference}");
    let same = run(orlop().arg("diff").arg(image()).arg(image()));
    assert!(same.done().ends_with("nothing differs\n"), "{}", same.stdout);
}
