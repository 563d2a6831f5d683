use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::image::licences;
use crate::inventory::{File, Inventory, sample};

fn render(inventory: &Inventory) -> String {
    super::render(inventory, None)
}

fn document() -> Value {
    serde_json::from_str(&render(&sample::inventory())).unwrap()
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

/// Of components and the components in them.
fn all<'a>(components: &'a Value, found: &mut Vec<&'a Value>) {
    for component in components.as_array().into_iter().flatten() {
        found.push(component);
        all(&component["components"], found);
    }
}

fn component<'a>(document: &'a Value, reference: &str) -> &'a Value {
    let mut found = Vec::new();
    all(&document["components"], &mut found);
    found.into_iter().find(|row| row["bom-ref"] == reference).unwrap_or_else(|| panic!("{reference}"))
}

fn depends_on(document: &Value, reference: &str) -> Vec<String> {
    let row = rows(&document["dependencies"]).iter().find(|row| row["ref"] == reference);
    let on = row.unwrap_or_else(|| panic!("{reference}"))["dependsOn"].as_array();
    on.into_iter().flatten().map(|row| row.as_str().unwrap().to_owned()).collect()
}

fn property<'a>(component: &'a Value, name: &str) -> Option<&'a str> {
    rows(&component["properties"]).iter().find(|row| row["name"] == name)?["value"].as_str()
}

#[test]
fn the_document_says_what_it_is() {
    let document = document();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(document["metadata"]["timestamp"], "2026-11-23T02:09:33Z");
    assert!(document["serialNumber"].as_str().unwrap().starts_with("urn:uuid:"));
    assert_eq!(property(&document["metadata"]["component"], "orlop:root-hash"), Some(&*"12".repeat(32)));
    assert_eq!(render(&sample::inventory()), render(&sample::inventory()));
    let mut other = sample::inventory();
    other.image.uki_sha256 = "56".repeat(32);
    let other: Value = serde_json::from_str(&render(&other)).unwrap();
    assert_ne!(other["serialNumber"], document["serialNumber"]);
}

#[test]
fn every_reference_exists_once() {
    let document = document();
    let mut found = vec![&document["metadata"]["component"]];
    all(&document["components"], &mut found);
    let references: Vec<&str> = found.iter().filter_map(|row| row["bom-ref"].as_str()).collect();
    let known: BTreeSet<&str> = references.iter().copied().collect();
    assert_eq!(known.len(), references.len(), "{references:?}");
    let dependencies = rows(&document["dependencies"]);
    let named = dependencies.iter().flat_map(|row| {
        let on = row["dependsOn"].as_array().into_iter().flatten();
        on.chain([&row["ref"]]).map(|reference| reference.as_str().unwrap())
    });
    let named: BTreeSet<&str> = named.collect();
    assert!(named.is_subset(&known), "{:?}", named.difference(&known));
    let assemblies = rows(&document["compositions"][0]["assemblies"]);
    assert!(assemblies.iter().all(|row| known.contains(row.as_str().unwrap())), "{assemblies:?}");
}

#[test]
fn components_have_files_ancestors_and_parts() {
    let document = document();
    let kernel = component(&document, "component:kernel");
    assert_eq!(kernel["licenses"][0]["expression"], "GPL-2.0-only WITH Linux-syscall-note");
    assert_eq!(kernel["hashes"][0]["content"], "ab".repeat(32));
    assert_eq!(
        kernel["pedigree"]["ancestors"][0]["purl"],
        "pkg:deb/debian/linux@6.12.1-1?arch=source&distro=debian-13"
    );
    assert_eq!(kernel["components"][0]["name"], ".linux");
    let net = "pkg:golang/golang.org/x/net@v0.35.0";
    let module = component(&document, net);
    assert_eq!(module["evidence"]["occurrences"][0]["location"], "root/usr/bin/runc");
    assert_eq!(property(module, "orlop:go-sum"), Some("h1:abc="));
    assert_eq!(depends_on(&document, "component:runc"), ["input:library.libseccomp", net]);
    // The module that the component itself is stands there once.
    assert_eq!(depends_on(&document, "file:root/usr/bin/runc"), ["component:runc", net]);
    let runc = component(&document, "component:runc");
    assert_eq!(runc["evidence"]["occurrences"], json!([{"location": "root/usr/bin/runc"}]));
    assert_eq!(component(&document, "component:kernel")["evidence"], Value::Null);
    let zig = component(&document, "input:toolchain.zig");
    assert_eq!((zig["scope"].as_str(), property(zig, "orlop:used-by")), (Some("excluded"), Some("runc")));
    assert_eq!(component(&document, "input:library.libseccomp")["scope"], Value::Null);
    assert_eq!(depends_on(&document, "image").len(), 5);
}

#[test]
fn what_was_compiled_from_a_folder_has_no_version_and_says_why() {
    let document: Value = serde_json::from_str(&render(&sample::with_a_folder())).unwrap();
    let module = component(&document, "pkg:golang/golang.org/x/net");
    assert_eq!((&module["purl"], module.get("version")), (&"pkg:golang/golang.org/x/net".into(), None));
    assert_eq!(property(module, "orlop:source"), Some("folder"));
    assert_eq!(component(&document, "pkg:cargo/nix@0.31.3")["properties"], Value::Null);
}

/// A daemon and its shim: the module is in each where that one lies, and in others by the first.
#[test]
fn components_of_one_module_have_its_files_each_its_own() {
    let mut inventory = sample::inventory();
    let purl = "pkg:golang/github.com/opencontainers/runc@v1.5.2";
    inventory.components.insert("shim".into(), inventory.components["runc"].clone());
    let files = &mut inventory.parts.get_mut(purl).unwrap().files;
    files.extend(["root/usr/libexec/orlop/init".to_owned(), "root/usr/bin/shim".to_owned()]);
    let runc = inventory.files.iter().find(|file| file.path == "/usr/bin/runc").unwrap();
    let shim = File { path: "/usr/bin/shim".into(), component: "shim".into(), ..runc.clone() };
    inventory.files.push(shim);
    let document: Value = serde_json::from_str(&render(&inventory)).unwrap();
    let at = |reference: &str| {
        let places = rows(&component(&document, reference)["evidence"]["occurrences"]).iter();
        places.map(|place| place["location"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(at("component:runc"), ["root/usr/bin/runc", "root/usr/libexec/orlop/init"]);
    assert_eq!(at("component:shim"), ["root/usr/bin/shim"]);
}

#[test]
fn files_have_hashes_and_what_is_not_known_is_said() {
    let document = document();
    let runc = component(&document, "file:root/usr/bin/runc");
    assert_eq!(
        (&runc["hashes"][0]["content"], &runc["hashes"][1]["content"]),
        (&"01".repeat(20).into(), &"02".repeat(32).into())
    );
    assert!(property(runc, "orlop:unknown").unwrap().contains("is not known"));
    assert_eq!(document["compositions"][0]["aggregate"], "incomplete");
    let link = component(&document, "file:root/usr/bin/mount");
    assert_eq!(property(link, "orlop:link"), Some("../libexec/orlop/init"));
    let document: Value = serde_json::from_str(&render(&sample::empty())).unwrap();
    assert_eq!((rows(&document["components"]).len(), &document["compositions"]), (0, &Value::Null));
}

#[test]
fn what_is_declared_stands_there_and_texts_are_named_by_their_digests() {
    let licences = licences::tests::sample();
    let text = super::render(&sample::inventory(), Some(&licences));
    let document: Value = serde_json::from_str(&text).unwrap();
    let texts = |name: &str| -> Vec<String> {
        let components = document["components"].as_array().unwrap();
        let one = components.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"));
        let properties = one["properties"].as_array().into_iter().flatten();
        let texts = properties.filter(|row| row["name"] == "orlop:licence-text");
        texts.map(|row| row["value"].as_str().unwrap().to_owned()).collect()
    };
    let row = |file: &str, text: &str| format!("{file} sha256:{}", crate::sources::hash(text.as_bytes()));
    assert_eq!(texts("golang.org/x/net"), [row("LICENSE", "BSD <text>\n"), row("PATENTS", "Patents\n")]);
    assert_eq!(texts("github.com/opencontainers/runc"), [row("LICENSE", "Apache\n")]);
    assert_eq!(texts("libseccomp"), [row("LICENSE", "LGPL\n")]);
    assert!(texts("nix").is_empty());
    let declared = |name: &str| {
        let components = document["components"].as_array().unwrap();
        &components.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}"))["licenses"]
    };
    assert_eq!(declared("nix"), &json!([{"expression": "MIT OR ISC", "acknowledgement": "declared"}]));
    assert_eq!(
        declared("libseccomp")[0]["expression"],
        "LGPL-2.1-only",
        "its own words are none, and its upstream is known"
    );
    assert_eq!(declared("golang.org/x/net"), &Value::Null);
    assert_ne!(text, render(&sample::inventory()));
}
