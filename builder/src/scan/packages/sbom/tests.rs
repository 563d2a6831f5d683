//! Lists in the shapes of several tools, and such as are none.

use super::*;
use crate::scan::{Identity, Package};
use proptest::prelude::*;

fn names(json: &str) -> Vec<String> {
    let name = |package: &Package| {
        let identity = &package.identity;
        format!(
            "{} {} {} {}",
            identity.ecosystem,
            identity.name,
            identity.version.as_deref().unwrap_or("?"),
            package.path
        )
    };
    parse(json.as_bytes()).unwrap().packages.iter().map(name).collect()
}

/// In the shape that syft writes.
const CYCLONEDX: &str = r#"{"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX",
    "specVersion": "1.6", "version": 1,
    "metadata": {"component": {"type": "container", "name": "edge", "version": "sha256:0"}},
    "components": [
      {"type": "library", "name": "golang.org/x/net", "version": "v0.35.0", "purl": "pkg:golang/golang.org/x/net@v0.35.0",
       "properties": [{"name": "syft:package:type", "value": "go-module"},
                      {"name": "syft:location:0:path", "value": "/usr/bin/kubelet"}]},
      {"type": "application", "name": "stdlib", "version": "go1.26.8", "purl": "pkg:golang/stdlib@1.26.8"},
      {"type": "library", "name": "linux-image", "version": "6.12.48-1",
       "purl": "pkg:deb/debian/linux-image-6.12@6.12.48-1?arch=amd64&distro=debian-13&upstream=linux-signed-amd64%406.12.48%2B1"},
      {"type": "library", "name": "nested", "components": [
        {"type": "library", "name": "tar", "version": "0.4.44", "purl": "pkg:cargo/tar"}]},
      {"type": "library", "name": "a.b/Upper", "purl": "pkg:golang/a.b/upper@v1.0.0"},
      {"type": "library", "name": "bad", "purl": "pkg:"},
      {"type": "file", "name": "/etc/passwd"},
      {"type": "operating-system", "name": "debian", "version": "13"}]}"#;

#[test]
fn cyclonedx_of_other_tools_is_read() {
    assert_eq!(
        names(CYCLONEDX),
        [
            "Go golang.org/x/net v0.35.0 /usr/bin/kubelet",
            "Go stdlib 1.26.8 ",
            "Debian:13 linux 6.12.48-1 ",
            "crates.io tar 0.4.44 ",
            "Go a.b/Upper v1.0.0 ",
        ]
    );
    let inventory = parse(CYCLONEDX.as_bytes()).unwrap();
    let unjudged: Vec<_> = inventory.unjudged.iter().map(|unjudged| &*unjudged.what).collect();
    assert_eq!((&*inventory.image, &unjudged[..]), ("edge", &["1 components", "pkg:"][..]));
}

/// In the shape that `orlop sbom` writes.
pub(super) const OURS: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
    "metadata": {"component": {"type": "operating-system", "bom-ref": "image", "name": "edge", "version": "1.4.0"}},
    "components": [
      {"type": "application", "bom-ref": "component:runc", "name": "github.com/opencontainers/runc", "version": "v1.5.2",
       "purl": "pkg:golang/github.com/opencontainers/runc@v1.5.2",
       "properties": [{"name": "orlop:component", "value": "runc"}],
       "components": [{"type": "file", "bom-ref": "file:root/usr/bin/runc", "name": "/usr/bin/runc",
                       "properties": [{"name": "orlop:unknown", "value": "2 packages in it belong to no module"}]}]},
      {"type": "application", "bom-ref": "component:kernel", "name": "linux-image-6.12.1+deb13-cloud-amd64", "version": "6.12.1-1",
       "purl": "pkg:deb/debian/linux-image-6.12.1%2Bdeb13-cloud-amd64@6.12.1-1?arch=amd64&distro=debian-13&upstream=linux",
       "properties": [{"name": "orlop:component", "value": "kernel"}],
       "components": [{"type": "file", "bom-ref": "file:uki/.linux", "name": ".linux"},
                      {"type": "file", "bom-ref": "file:root/usr/lib/modules/6.12.1/a.ko", "name": "/usr/lib/modules/6.12.1/a.ko"},
                      {"type": "file", "bom-ref": "file:root/usr/lib/modules/6.12.1/b.ko", "name": "/usr/lib/modules/6.12.1/b.ko"}]},
      {"type": "application", "bom-ref": "component:motd", "name": "motd", "version": "1",
       "properties": [{"name": "orlop:component", "value": "motd"}]},
      {"type": "application", "bom-ref": "component:init", "name": "orlop-init", "version": "0.1.0",
       "purl": "pkg:generic/orlop-init@0.1.0", "properties": [{"name": "orlop:component", "value": "init"}],
       "components": [{"type": "file", "bom-ref": "file:root/usr/libexec/orlop/init", "name": "/usr/libexec/orlop/init"}]},
      {"type": "library", "name": "golang.org/x/net", "version": "v0.35.0", "purl": "pkg:golang/golang.org/x/net@v0.35.0",
       "evidence": {"occurrences": [{"location": "root/usr/bin/runc"}, {"location": "root/usr/libexec/orlop/init"}]}},
      {"type": "library", "name": "libseccomp", "version": "2.6.0-2", "purl": "pkg:deb/debian/libseccomp@2.6.0-2?arch=source",
       "properties": [{"name": "orlop:input", "value": "library.libseccomp"}, {"name": "orlop:used-by", "value": "runc"}]},
      {"type": "library", "name": "musl", "version": "1.2.5", "purl": "pkg:generic/musl@1.2.5",
       "properties": [{"name": "orlop:input", "value": "toolchain.rust.musl"}, {"name": "orlop:used-by", "value": "init"}]},
      {"type": "application", "name": "rust", "version": "1.95.0", "purl": "pkg:generic/rust@1.95.0", "scope": "excluded",
       "properties": [{"name": "orlop:input", "value": "toolchain.rust"}, {"name": "orlop:used-by", "value": "init"}]},
      {"type": "application", "name": "erofs-utils", "version": "1.8.6-1", "scope": "excluded",
       "purl": "pkg:deb/debian/erofs-utils@1.8.6-1?arch=amd64"}]}"#;

#[test]
fn a_list_of_our_own_says_which_component_has_what_and_where() {
    let inventory = parse(OURS.as_bytes()).unwrap();
    let row = |package: &Package| {
        format!("{} {} {}{}", package.identity.name, package.by.component, package.by.version, package.path)
    };
    assert_eq!(
        inventory.packages.iter().map(row).collect::<Vec<_>>(),
        [
            "github.com/opencontainers/runc runc v1.5.2/usr/bin/runc",
            "linux kernel 6.12.1-1/usr/lib/modules/6.12.1/",
            "golang.org/x/net runc v1.5.2/usr/bin/runc",
            "golang.org/x/net init 0.1.0/usr/libexec/orlop/init",
            "libseccomp runc v1.5.2/usr/bin/runc",
            "std init 0.1.0/usr/libexec/orlop/init",
        ]
    );
    assert_eq!((&*inventory.image, &*inventory.version), ("edge", "1.4.0"));
    assert!(inventory.own && !parse(CYCLONEDX.as_bytes()).unwrap().own);
}

/// What is linked in has none of Debian's patches, the standard library is in what the toolchain compiled, Debian's kernel is
/// a release of Linux, and what is in no registry is no ecosystem that somebody forgot a database of.
#[test]
fn a_list_of_our_own_is_judged_as_the_image_is() {
    let inventory = parse(OURS.as_bytes()).unwrap();
    let row = |identity: &Identity| {
        format!("{} {} {}", identity.ecosystem, identity.name, identity.version.as_deref().unwrap_or("?"))
    };
    let packages: Vec<_> = inventory.packages.iter().map(|package| row(&package.identity)).collect();
    for wanted in ["Debian:13 linux 6.12.1-1", "Debian libseccomp 2.6.0", "Rust std 1.95.0"] {
        assert!(packages.iter().any(|package| package == wanted), "{wanted}: {packages:?}");
    }
    assert!(!packages.iter().any(|package| package.starts_with("generic ")), "{packages:?}");
    let otherwise: Vec<_> =
        inventory.packages.iter().filter_map(|package| package.otherwise.as_ref()).map(row).collect();
    assert_eq!(otherwise, ["Linux Kernel 6.12.1"]);
    let unjudged: Vec<_> =
        inventory.unjudged.iter().map(|row| format!("{} ({}): {}", row.what, row.component, row.reason)).collect();
    assert_eq!(
        unjudged,
        [
            "/usr/bin/runc (runc): 2 packages in it belong to no module",
            "musl 1.2.5 (init): linked in: no ecosystem of advisories has it",
        ]
    );
    // Of other tools nobody knows whether Debian's source was patched, nor whether the kernel is the image's.
    let other = parse(CYCLONEDX.as_bytes()).unwrap();
    assert!(other.packages.iter().all(|package| package.otherwise.is_none()), "{:?}", other.packages);
}

#[test]
fn a_program_that_a_list_is_about_is_a_package_and_a_group_is_part_of_a_name() {
    let list = |kind: &str| {
        format!(
            r#"{{"bomFormat": "CycloneDX", "metadata": {{"component": {{"type": "{kind}", "name": "a.b/Tool",
            "version": "v1.0.0", "purl": "pkg:golang/a.b/tool@v1.0.0"}}}},
            "components": [{{"type": "library", "group": "github.com/BurntSushi", "name": "toml", "version": "v1.6.0",
            "purl": "pkg:golang/github.com/burntsushi/toml@v1.6.0",
            "evidence": {{"occurrences": [{{"location": "go.mod"}}, {{"location": "main.go#3"}}]}}}}]}}"#
        )
    };
    let toml = "Go github.com/BurntSushi/toml v1.6.0 go.mod".to_owned();
    assert_eq!(names(&list("application")), ["Go a.b/Tool v1.0.0 ".to_owned(), toml.clone()]);
    assert_eq!(names(&list("container")), [toml]);
}

#[test]
fn spdx_of_other_tools_is_read() {
    let spdx = r#"{"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "edge", "packages": [
        {"name": "edge", "SPDXID": "SPDXRef-image", "versionInfo": "1"},
        {"name": "golang.org/x/net", "versionInfo": "v0.35.0", "externalRefs": [
          {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x"},
          {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
           "referenceLocator": "pkg:golang/golang.org/x/net@v0.35.0"}]},
        {"name": "unknown"}]}"#;
    assert_eq!(names(spdx), ["Go golang.org/x/net v0.35.0 "]);
    assert_eq!(parse(spdx.as_bytes()).unwrap().unjudged[0].what, "1 components");
}

#[test]
fn what_is_no_list_says_so() {
    let nested = format!("{}{}", r#"{"name":"x","components":["#.repeat(40), "]}".repeat(40));
    let deep = format!(r#"{{"bomFormat":"CycloneDX","components":[{nested}]}}"#);
    for (json, wanted) in [
        ("{", "no SBOM in JSON"),
        ("{}", "neither a CycloneDX document"),
        (r#"{"bomFormat": "SPDX"}"#, "neither a CycloneDX document"),
        (r#"{"spdxVersion": "SPDX-3.0"}"#, "nor one of SPDX 2"),
        (r#"{"bomFormat": "CycloneDX", "components": 1}"#, "invalid type: integer `1`"),
        (&deep, "more than 32 of them"),
    ] {
        let error = format!("{:#}", parse(json.as_bytes()).unwrap_err());
        assert!(error.contains(wanted), "{error}");
    }
}

proptest! {
    #[test]
    fn any_list_has_an_answer(purl in r"(pkg:(golang|deb/debian|cargo)/)?[a-z%@?&=/0-9#:]{0,30}") {
        let json = serde_json::json!({"bomFormat": "CycloneDX", "components": [{"name": "x", "purl": purl}]});
        let inventory = parse(json.to_string().as_bytes()).unwrap();
        prop_assert_eq!(inventory.packages.len() + inventory.unjudged.len(), 1);
    }
}
