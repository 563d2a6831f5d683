//! Which packages somebody's list says that there are: CycloneDX and SPDX 2 in JSON, as `orlop sbom`, syft and others
//! write them. Taken are package URLs; what has none cannot be looked for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::super::package::{By, Inventory, Package, Unjudged};
use super::purl;

/// No list is longer.
const MOST: u64 = 64 << 20;
/// Components within components.
const DEPTH: usize = 32;

/// As much of both formats as is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: Option<String>,
    metadata: Option<Metadata>,
    components: Option<Vec<Component>>,
    spdx_version: Option<String>,
    name: Option<String>,
    packages: Option<Vec<SpdxPackage>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    name: String,
    version: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    purl: Option<String>,
    properties: Option<Vec<Property>>,
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    name: String,
    version_info: Option<String>,
    external_refs: Option<Vec<ExternalRef>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

/// Whether a file is such a list, by its first character: no disk image begins with a brace.
pub fn is_sbom(path: &Path) -> bool {
    let mut head = [0; 64];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or_default();
    let text = head[..read].strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head[..read]);
    text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// Reads such a list.
pub fn of_sbom(path: &Path) -> anyhow::Result<Inventory> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)).with_context(name)?;
    if bytes.len() as u64 > MOST {
        bail!("{}: more than {MOST} bytes; no list of packages is that big", name());
    }
    parse(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).with_context(name)
}

fn parse(json: &[u8]) -> anyhow::Result<Inventory> {
    let document: Document = serde_json::from_slice(json).context("not a disk image, and no SBOM in JSON")?;
    let mut list = List::default();
    if document.bom_format.as_deref() == Some("CycloneDX") {
        let main = document.metadata.and_then(|metadata| metadata.component);
        if let Some(main) = main {
            (list.inventory.image, list.inventory.version) = (main.name, main.version.unwrap_or_default());
        }
        list.components(&document.components.unwrap_or_default(), 0)?;
    } else if document.spdx_version.is_some_and(|version| version.starts_with("SPDX-2.")) {
        list.inventory.image = document.name.unwrap_or_default();
        document.packages.unwrap_or_default().iter().for_each(|package| list.package(package));
    } else {
        bail!("JSON, and neither a CycloneDX document (`bomFormat`) nor one of SPDX 2 (`spdxVersion`)");
    }
    Ok(list.end())
}

#[derive(Default)]
struct List {
    inventory: Inventory,
    /// How many have no package URL.
    without: usize,
    unreadable: Vec<String>,
}

impl List {
    fn components(&mut self, components: &[Component], depth: usize) -> anyhow::Result<()> {
        if depth > DEPTH {
            bail!("components within each other, more than {DEPTH} of them");
        }
        for component in components {
            match (&component.purl, component.kind.as_deref()) {
                (Some(purl), _) => self.add(purl, &component.name, component.version.as_deref(), location(component)),
                // What is made of other components, and no package.
                (None, Some("file" | "operating-system" | "device" | "firmware")) => {}
                (None, _) => self.without += 1,
            }
            self.components(component.components.as_deref().unwrap_or_default(), depth + 1)?;
        }
        Ok(())
    }

    fn package(&mut self, package: &SpdxPackage) {
        let refs = package.external_refs.as_deref().unwrap_or_default();
        match refs.iter().find(|reference| reference.reference_type == "purl") {
            Some(purl) => {
                self.add(&purl.reference_locator, &package.name, package.version_info.as_deref(), String::new())
            }
            None if package.name == self.inventory.image => {}
            None => self.without += 1,
        }
    }

    fn add(&mut self, purl: &str, name: &str, version: Option<&str>, path: String) {
        let Some(mut identity) = purl::identity(purl) else {
            self.unreadable.push(purl.to_owned());
            return;
        };
        // Package URLs of Go have small letters only, and advisories have a module's own.
        if identity.name.eq_ignore_ascii_case(name) {
            identity.name = name.to_owned();
        }
        identity.version =
            identity.version.or_else(|| version.map(str::to_owned)).filter(|version| !version.is_empty());
        let by = By { component: self.inventory.image.clone(), version: self.inventory.version.clone() };
        self.inventory.packages.push(Package { identity, otherwise: None, by, path, functions: None });
    }

    fn end(mut self) -> Inventory {
        let mut note = |what: String, reason: String| {
            self.inventory.unjudged.push(Unjudged { what, component: String::new(), reason });
        };
        if self.without > 0 {
            note(format!("{} components", self.without), "they have no package URL, and cannot be looked for".into());
        }
        for purl in self.unreadable {
            note(purl, "no package URL that can be read".into());
        }
        self.inventory
    }
}

/// Where syft found it.
fn location(component: &Component) -> String {
    let properties = component.properties.as_deref().unwrap_or_default();
    let path = |property: &Property| {
        let name = property.name.as_deref()?;
        (name.starts_with("syft:location:") && name.ends_with(":path")).then(|| property.value.clone())?
    };
    properties.iter().find_map(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
