use std::collections::BTreeSet;

use serde_json::Value;

use crate::image::licences;
use crate::inventory::{Inventory, sample};

fn render(inventory: &Inventory) -> String {
    super::render(inventory, None)
}

fn document() -> Value {
    serde_json::from_str(&render(&sample::inventory())).unwrap()
}

fn rows<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    document[name].as_array().unwrap()
}

fn package<'a>(document: &'a Value, id: &str) -> &'a Value {
    rows(document, "packages").iter().find(|row| row["SPDXID"] == id).unwrap_or_else(|| panic!("{id}"))
}

fn related(document: &Value, from: &str, kind: &str) -> BTreeSet<String> {
    let from = |row: &&Value| row["spdxElementId"] == from && row["relationshipType"] == kind;
    rows(document, "relationships")
        .iter()
        .filter(from)
        .map(|row| row["relatedSpdxElement"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_document_says_what_it_is() {
    let document = document();
    assert_eq!((&document["spdxVersion"], &document["SPDXID"]), (&"SPDX-2.3".into(), &"SPDXRef-DOCUMENT".into()));
    assert_eq!(document["creationInfo"]["created"], "2026-11-23T02:09:33Z");
    let namespace = document["documentNamespace"].as_str().unwrap();
    assert!(namespace.starts_with("https://spdx.org/spdxdocs/sample-1.2.3-"), "{namespace}");
    assert_eq!(render(&sample::inventory()), render(&sample::inventory()));
    let mut other = sample::inventory();
    other.image.root_hash = "56".repeat(32);
    let other: Value = serde_json::from_str(&render(&other)).unwrap();
    assert_ne!(other["documentNamespace"], document["documentNamespace"]);
}

#[test]
fn every_identifier_exists_once_and_all_is_reached() {
    let document = document();
    let elements = rows(&document, "packages").iter().chain(rows(&document, "files"));
    let ids: Vec<&str> = elements.map(|row| row["SPDXID"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> = ids.iter().copied().chain(["SPDXRef-DOCUMENT"]).collect();
    assert_eq!(known.len(), ids.len() + 1, "one twice: {ids:?}");
    let mut reached = BTreeSet::new();
    for row in rows(&document, "relationships") {
        for end in ["spdxElementId", "relatedSpdxElement"] {
            let id = row[end].as_str().unwrap();
            assert!(known.contains(id), "{id}");
            reached.insert(id);
        }
    }
    assert_eq!(reached, known);
}

#[test]
fn components_have_files_sources_and_parts() {
    let document = document();
    let kernel = package(&document, "SPDXRef-Component-kernel");
    assert_eq!(kernel["licenseDeclared"], "GPL-2.0-only WITH Linux-syscall-note");
    assert_eq!(kernel["checksums"][0]["checksumValue"], "ab".repeat(32));
    let references: Vec<&str> =
        rows(kernel, "externalRefs").iter().map(|row| row["referenceLocator"].as_str().unwrap()).collect();
    assert_eq!(references[0], "cpe:2.3:o:linux:linux_kernel:6.12.1:*:*:*:*:*:*:*");
    assert!(references[1].ends_with("@6.12.1-1?arch=amd64&distro=debian-13&upstream=linux"), "{references:?}");
    let sources = related(&document, "SPDXRef-Component-kernel", "GENERATED_FROM");
    assert_eq!(sources.len(), 2);
    assert!(sources.contains("SPDXRef-Source-linux-6.12.1-1"), "{sources:?}");
    let runc = "SPDXRef-Component-runc";
    // SHA-1 of the one file's SHA-1.
    let code = &package(&document, runc)["packageVerificationCode"]["packageVerificationCodeValue"];
    assert_eq!(code, &hex::encode(<sha1::Sha1 as sha1::Digest>::digest("01".repeat(20))));
    assert_eq!(related(&document, runc, "CONTAINS").len(), 1);
    assert_eq!(related(&document, runc, "DEPENDS_ON").len(), 1, "not of itself");
    assert_eq!(related(&document, runc, "STATIC_LINK"), ["SPDXRef-Input-library.libseccomp".to_owned()].into());
    assert_eq!(related(&document, "SPDXRef-Input-toolchain.zig", "BUILD_TOOL_OF"), [runc.to_owned()].into());
    // The module that the component itself is has no second package.
    let named = rows(&document, "packages").iter().filter(|row| row["name"] == "github.com/opencontainers/runc");
    assert_eq!(named.count(), 1);
}

#[test]
fn files_have_hashes_and_what_is_not_known_is_said() {
    let document = document();
    let find = |name: &str| rows(&document, "files").iter().find(|row| row["fileName"] == name).unwrap();
    let runc = find("./root/usr/bin/runc");
    assert_eq!(runc["checksums"][0]["checksumValue"], "01".repeat(20));
    assert_eq!(runc["checksums"][1]["checksumValue"], "02".repeat(32));
    assert!(runc["comment"].as_str().unwrap().contains("is not known"), "{runc}");
    let link = find("./root/usr/bin/mount")["comment"].as_str().unwrap();
    assert!(link.starts_with("symbolic link to ../libexec/orlop/init"), "{link}");
    let initrd = find("./uki/.initrd")["SPDXID"].as_str().unwrap();
    assert_eq!(related(&document, initrd, "CONTAINS").len(), 1);
    let uki = find("./esp/EFI/BOOT/BOOTX64.EFI")["SPDXID"].as_str().unwrap();
    assert_eq!(related(&document, uki, "CONTAINS").len(), 2);
}

/// The version is optional (SPDX 2.3, 7.3), and none is better than one that the code perhaps is not.
#[test]
fn what_was_compiled_from_a_folder_has_no_version_and_says_why() {
    let document: Value = serde_json::from_str(&render(&sample::with_a_folder())).unwrap();
    let module = rows(&document, "packages").iter().find(|row| row["name"] == "golang.org/x/net").unwrap();
    assert_eq!(module.get("versionInfo"), None);
    assert_eq!(module["sourceInfo"], "compiled from a folder: its version is not known");
    assert_eq!(module["externalRefs"][0]["referenceLocator"], "pkg:golang/golang.org/x/net");
    assert_eq!(related(&document, "SPDXRef-Component-runc", "DEPENDS_ON").len(), 1);
}

#[test]
fn an_image_of_nothing_has_a_document() {
    let document: Value = serde_json::from_str(&render(&sample::empty())).unwrap();
    assert_eq!((rows(&document, "packages").len(), rows(&document, "files").len()), (1, 0));
}

#[test]
fn texts_beside_the_code_are_what_is_declared_where_nobody_knows_better() {
    let licences = licences::tests::sample();
    let text = super::render(&sample::inventory(), Some(&licences));
    let document: Value = serde_json::from_str(&text).unwrap();
    let of = |name: &str| {
        let package = rows(&document, "packages").iter().find(|row| row["name"] == name);
        package.unwrap_or_else(|| panic!("{name}"))
    };
    let reference = |text: &str| format!("LicenseRef-{}", crate::sources::hash(text.as_bytes()));
    let (bsd, patents, apache) = (reference("BSD <text>\n"), reference("Patents\n"), reference("Apache\n"));
    let net = of("golang.org/x/net");
    assert_eq!(net["licenseDeclared"], bsd);
    assert_eq!(net["licenseComments"], format!("LICENSE: {bsd}; PATENTS: {patents}"));
    // What is known by an expression stays so.
    let runc = of("github.com/opencontainers/runc");
    assert_eq!(
        (&runc["licenseDeclared"], &runc["licenseComments"]),
        (&"Apache-2.0".into(), &format!("LICENSE: {apache}").into())
    );
    assert_eq!(of("libseccomp")["licenseDeclared"], "LGPL-2.1-only");
    assert!(of("libseccomp")["licenseComments"].as_str().unwrap().contains(&reference("LGPL\n")));
    // What a package declares by its own words stands there, whether it has a text or not.
    assert_eq!((&of("nix")["licenseDeclared"], of("nix").get("licenseComments")), (&"MIT OR ISC".into(), None));
    let infos = rows(&document, "hasExtractedLicensingInfos");
    let texts: BTreeSet<(&str, &str)> =
        infos.iter().map(|row| (row["licenseId"].as_str().unwrap(), row["extractedText"].as_str().unwrap())).collect();
    assert_eq!(texts.len(), 4, "each once, and none that no package has: {texts:?}");
    assert!(texts.contains(&(&*bsd, "BSD <text>\n")));
    let without = self::document();
    assert_eq!(without.get("hasExtractedLicensingInfos"), None);
    let nix = rows(&without, "packages").iter().find(|row| row["name"] == "nix").unwrap();
    assert_eq!(nix["licenseDeclared"], "NOASSERTION");
    assert_ne!(without["documentNamespace"], document["documentNamespace"], "another document has another name");
}
