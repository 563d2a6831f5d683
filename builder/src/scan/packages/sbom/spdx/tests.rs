//! Documents of SPDX, our own and others'.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scan::package::{Inventory, Package};
use crate::scan::packages::sbom::parse;
use crate::scan::packages::sbom::tests::OURS;

/// A document of SPDX: packages as they are, and relationships by their three words.
fn document(packages: &[Value], files: &[(&str, &str)], relationships: &[&str]) -> String {
    let file = |(name, comment): &(&str, &str)| {
        let path = format!("./{name}");
        json!({"SPDXID": file_id(name), "fileName": path, "comment": comment})
    };
    let relationship = |row: &&str| {
        let words: Vec<&str> = row.split(' ').collect();
        let [left, kind, right] = words[..] else { panic!("{row}") };
        let id = |name: &str| match name {
            "NONE" => name.to_owned(),
            _ if name.contains('/') => file_id(name),
            _ => format!("SPDXRef-{name}"),
        };
        json!({"spdxElementId": id(left), "relationshipType": kind, "relatedSpdxElement": id(right)})
    };
    json!({
        "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "the document",
        "packages": packages,
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "relationships": relationships.iter().map(relationship).collect::<Vec<_>>(),
    })
    .to_string()
}

fn file_id(name: &str) -> String {
    format!("SPDXRef-File-{}", name.replace('/', "-"))
}

fn spdx_package(id: &str, name: &str, version: &str, purl: &str) -> Value {
    let reference = json!({"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl});
    let references = if purl.is_empty() { json!([]) } else { json!([reference]) };
    json!({"SPDXID": format!("SPDXRef-{id}"), "name": name, "versionInfo": version, "externalRefs": references})
}

/// As `orlop sbom` writes a component or an input: which one, its comment says.
fn marked(kind: &str, key: &str, of: [&str; 3]) -> Value {
    let mut package = spdx_package(&format!("{kind}-{key}"), of[0], of[1], of[2]);
    let comment = match kind {
        "Input" => format!("build input `{key}`"),
        _ => format!("component `{key}` of the image definition"),
    };
    package["comment"] = comment.into();
    package
}

/// What [`OURS`] says, in SPDX.
fn ours_in_spdx() -> String {
    let debian = "pkg:deb/debian/";
    let kernel =
        format!("{debian}linux-image-6.12.1%2Bdeb13-cloud-amd64@6.12.1-1?arch=amd64&distro=debian-13&upstream=linux");
    let mut image = spdx_package("Image", "edge", "1.4.0", "");
    image["primaryPackagePurpose"] = "OPERATING-SYSTEM".into();
    let packages = [
        image,
        marked(
            "Component",
            "runc",
            ["github.com/opencontainers/runc", "v1.5.2", "pkg:golang/github.com/opencontainers/runc@v1.5.2"],
        ),
        marked("Component", "kernel", ["linux-image-6.12.1+deb13-cloud-amd64", "6.12.1-1", &kernel]),
        spdx_package("Source-linux", "linux", "6.12.1-1", "pkg:deb/debian/linux@6.12.1-1?arch=source&distro=debian-13"),
        marked("Component", "motd", ["motd", "1", ""]),
        marked("Component", "init", ["orlop-init", "0.1.0", "pkg:generic/orlop-init@0.1.0"]),
        spdx_package("Part-net", "golang.org/x/net", "v0.35.0", "pkg:golang/golang.org/x/net@v0.35.0"),
        marked(
            "Input",
            "library.libseccomp",
            ["libseccomp", "2.6.0-2", &format!("{debian}libseccomp@2.6.0-2?arch=source")],
        ),
        marked("Input", "toolchain.rust.musl", ["musl", "1.2.5", "pkg:generic/musl@1.2.5"]),
        marked("Input", "toolchain.rust", ["rust", "1.95.0", "pkg:generic/rust@1.95.0"]),
        marked("Input", "tool.erofs-utils", ["erofs-utils", "1.8.6-1", &format!("{debian}erofs-utils@1.8.6-1")]),
        spdx_package("Source-erofs", "erofs-utils", "1.8.6-1", "pkg:deb/debian/erofs-utils@1.8.6-1?arch=source"),
    ];
    let files = [
        ("root/usr/bin/runc", "2 packages in it belong to no module"),
        ("root/usr/bin/mount", "symbolic link to ../libexec/orlop/init; hashes are those of its target's name"),
        ("uki/.linux", ""),
        ("root/usr/lib/modules/6.12.1/a.ko", ""),
        ("root/usr/lib/modules/6.12.1/b.ko", ""),
        ("root/usr/libexec/orlop/init", ""),
    ];
    let relationships = [
        "DOCUMENT DESCRIBES Image",
        "Image CONTAINS Component-runc",
        "Component-runc CONTAINS root/usr/bin/runc",
        "Component-runc DEPENDS_ON Part-net",
        "root/usr/bin/runc STATIC_LINK Component-runc",
        "Component-kernel CONTAINS uki/.linux",
        "Component-kernel CONTAINS root/usr/lib/modules/6.12.1/a.ko",
        "Component-kernel CONTAINS root/usr/lib/modules/6.12.1/b.ko",
        "Component-kernel GENERATED_FROM Source-linux",
        "Component-init CONTAINS root/usr/libexec/orlop/init",
        "root/usr/bin/runc STATIC_LINK Part-net",
        "root/usr/libexec/orlop/init STATIC_LINK Part-net",
        "Component-runc STATIC_LINK Input-library.libseccomp",
        "Component-init STATIC_LINK Input-toolchain.rust.musl",
        "Input-toolchain.rust BUILD_TOOL_OF Component-init",
        "Input-tool.erofs-utils BUILD_TOOL_OF Image",
        "Input-tool.erofs-utils GENERATED_FROM Source-erofs",
    ];
    document(&packages, &files, &relationships)
}

#[test]
fn a_list_of_our_own_says_in_spdx_what_it_says_in_cyclonedx() {
    let rows = |json: &str| {
        let Inventory { image, version, own, mut packages, mut unjudged, .. } = parse(json.as_bytes()).unwrap();
        packages.sort_by(|a, b| (&a.identity, &a.path).cmp(&(&b.identity, &b.path)));
        unjudged.sort();
        let row = |package: &Package| {
            let Package { identity, otherwise, by, path, .. } = package;
            format!("{identity:?} {otherwise:?} {by:?} {path}")
        };
        (format!("{image} {version} {own}"), packages.iter().map(row).collect::<Vec<_>>(), unjudged)
    };
    let (cyclonedx, spdx) = (rows(OURS), rows(&ours_in_spdx()));
    assert_eq!(cyclonedx.0, "edge 1.4.0 true");
    assert_eq!((cyclonedx.1.len(), cyclonedx.2.len()), (6, 2));
    assert_eq!(spdx, cyclonedx);
}

/// Of a daemon and its shim, which are one module, SPDX names the first; each has what is in its own file.
#[test]
fn two_components_that_are_one_module_have_each_its_own_file() {
    let module = |key: &str| marked("Component", key, ["a.b/c", "v1.0.0", "pkg:golang/a.b/c@v1.0.0"]);
    let plugin = marked("Component", "plugin", ["a.b/plugin", "v1.0.0", "pkg:golang/a.b/plugin@v1.0.0"]);
    let files = [("root/usr/bin/daemon", ""), ("root/usr/bin/shim", ""), ("root/usr/bin/plugin", "")];
    let relationships = [
        "Component-daemon CONTAINS root/usr/bin/daemon",
        "Component-shim CONTAINS root/usr/bin/shim",
        "Component-plugin CONTAINS root/usr/bin/plugin",
        "root/usr/bin/daemon STATIC_LINK Component-daemon",
        "root/usr/bin/shim STATIC_LINK Component-daemon",
        "root/usr/bin/plugin STATIC_LINK Component-daemon",
        "root/usr/bin/plugin STATIC_LINK Component-plugin",
    ];
    let inventory =
        parse(document(&[module("daemon"), module("shim"), plugin], &files, &relationships).as_bytes()).unwrap();
    let row = |package: &Package| format!("{} {}{}", package.identity.name, package.by.component, package.path);
    let mut rows: Vec<_> = inventory.packages.iter().map(row).collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            "a.b/c daemon/usr/bin/daemon",
            "a.b/c plugin/usr/bin/plugin",
            "a.b/c shim/usr/bin/shim",
            "a.b/plugin plugin/usr/bin/plugin",
        ]
    );
}

#[test]
fn each_line_of_a_files_comment_is_something_that_is_not_known_of_it() {
    let files = [
        ("root/a", "one\ntwo"),
        ("root/b", "symbolic link to a; hashes are those of its target's name"),
        ("root/c", "symbolic link to a: so a program in an archive is called"),
    ];
    let relationships = files.map(|(name, _)| format!("Component-x CONTAINS {name}"));
    let relationships: Vec<&str> = relationships.iter().map(String::as_str).collect();
    let list = document(&[marked("Component", "x", ["x", "1", ""])], &files, &relationships);
    let unjudged = parse(list.as_bytes()).unwrap().unjudged;
    let rows: Vec<_> = unjudged.iter().map(|row| format!("{} ({}): {}", row.what, row.component, row.reason)).collect();
    assert_eq!(
        rows,
        ["/a (x): one", "/a (x): two", "/c (x): symbolic link to a: so a program in an archive is called"]
    );
}

#[test]
fn spdx_says_what_it_is_about_and_what_only_took_part() {
    let cargo = |id: &str| spdx_package(id, id, "1.0.0", &format!("pkg:cargo/{id}@1.0.0"));
    let mut packages = ["linked", "tool", "try", "both", "nothing"].map(cargo).to_vec();
    packages.push(spdx_package("root", "edge", "1.4.0", ""));
    // A second one by the same name of a document is related to nothing.
    packages.push(spdx_package("tool", "twice", "1.0.0", "pkg:cargo/twice@1.0.0"));
    let relationships = [
        "DOCUMENT DESCRIBES root",
        "root DEPENDS_ON linked",
        "tool BUILD_TOOL_OF root",
        "try DEV_DEPENDENCY_OF root",
        "both TEST_DEPENDENCY_OF root",
        "both DEPENDENCY_OF linked",
    ];
    let of = |relationships: &[&str]| parse(document(&packages, &[], relationships).as_bytes()).unwrap();
    let inventory = of(&relationships);
    assert_eq!((&*inventory.image, &*inventory.version, inventory.own), ("edge", "1.4.0", false));
    let names: Vec<_> = inventory.packages.iter().map(|package| &*package.identity.name).collect();
    assert_eq!(names, ["linked", "both", "nothing", "twice"]);
    assert!(inventory.unjudged.is_empty(), "{:?}", inventory.unjudged);
    // What is a tool of nothing is none; a document about several packages has only its own name.
    let inventory = of(&["tool BUILD_TOOL_OF NONE", "DOCUMENT DESCRIBES tool", "DOCUMENT DESCRIBES try"]);
    assert_eq!((&*inventory.image, inventory.packages.len()), ("the document", 6));
    // A program that a document is about is a package itself.
    let inventory = of(&["DOCUMENT DESCRIBES linked", "tool BUILD_TOOL_OF linked"]);
    let places: Vec<_> = inventory.packages.iter().map(|package| &*package.identity.name).collect();
    assert_eq!((&*inventory.image, places), ("linked", vec!["linked", "try", "both", "nothing", "twice"]));
}

proptest! {
    /// Whatever is related to whatever, and to itself.
    #[test]
    fn any_relationships_have_an_answer(rows in prop::collection::vec("(DOCUMENT|Component-a|Component-b|Input-c|root/a) (CONTAINS|STATIC_LINK|DESCRIBES|BUILD_TOOL_OF|GENERATED_FROM) (DOCUMENT|Component-a|Component-b|Input-c|root/a)", 0..12)) {
        let package = |kind: &str, key: &str| marked(kind, key, ["x", "1", "pkg:cargo/x@1"]);
        let packages = [package("Component", "a"), package("Component", "b"), package("Input", "c")];
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let inventory = parse(document(&packages, &[("root/a", "?")], &rows).as_bytes()).unwrap();
        prop_assert!(inventory.own, "{:?}", inventory.packages);
    }
}
