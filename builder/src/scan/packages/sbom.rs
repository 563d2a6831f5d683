//! Which packages somebody's list says that there are: CycloneDX and SPDX 2 in JSON, as `orlop sbom`, syft and others
//! write them. Taken are package URLs; what has none cannot be looked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::super::package::{By, Identity, Inventory, Package, Unjudged};
use super::purl;

/// The component of the image definition that a CycloneDX component of `orlop sbom` is.
const COMPONENT: &str = "orlop:component";
/// The component of the image definition that a library is linked into.
const USED_BY: &str = "orlop:used-by";

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
#[serde(rename_all = "kebab-case")]
struct Component {
    bom_ref: Option<String>,
    group: Option<String>,
    name: String,
    version: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    scope: Option<String>,
    purl: Option<String>,
    properties: Option<Vec<Property>>,
    evidence: Option<Evidence>,
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Evidence {
    occurrences: Option<Vec<Occurrence>>,
}

#[derive(Deserialize)]
struct Occurrence {
    location: Option<String>,
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
        let components = document.components.unwrap_or_default();
        list.owners = owners(&components);
        if let Some(main) = document.metadata.and_then(|metadata| metadata.component) {
            list.main(&main)?;
        }
        list.components(&components, 0)?;
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
    /// In a document of `orlop sbom`: reference of a file or component → that component of the image definition.
    owners: BTreeMap<String, By>,
    /// How many have no package URL.
    without: usize,
    unreadable: Vec<String>,
}

impl List {
    /// What the document is about. A program is a package itself, an image is what packages are in.
    fn main(&mut self, main: &Component) -> anyhow::Result<()> {
        self.inventory.image.clone_from(&main.name);
        self.inventory.version = main.version.clone().unwrap_or_default();
        if matches!(main.kind.as_deref(), Some("application" | "library")) {
            self.component(main);
        }
        self.components(main.components.as_deref().unwrap_or_default(), 1)
    }

    fn components(&mut self, components: &[Component], depth: usize) -> anyhow::Result<()> {
        if depth > DEPTH {
            bail!("components within each other, more than {DEPTH} of them");
        }
        for component in components {
            match (component.scope.as_deref(), &component.purl, component.kind.as_deref()) {
                // What took part in the build, and is not in what was built.
                (Some("excluded"), ..) => {}
                (_, Some(_), _) => self.component(component),
                // What is made of other components, and no package.
                (_, None, Some("file" | "operating-system" | "device" | "firmware")) => {}
                (_, None, _) => self.without += 1,
            }
            self.components(component.components.as_deref().unwrap_or_default(), depth + 1)?;
        }
        Ok(())
    }

    /// A package, at each place where the document says that it is.
    fn component(&mut self, component: &Component) {
        let Some(purl) = &component.purl else { return };
        let grouped = component.group.as_ref().map(|group| format!("{group}/{}", component.name));
        let names = [Some(&component.name), grouped.as_ref()];
        let Some(identity) = self.identity(purl, &names, component.version.as_ref()) else { return };
        for (path, by) in self.places(component) {
            self.push(identity.clone(), path, by);
        }
    }

    fn package(&mut self, package: &SpdxPackage) {
        let refs = package.external_refs.as_deref().unwrap_or_default();
        match refs.iter().find(|reference| reference.reference_type == "purl") {
            Some(purl) => {
                let identity =
                    self.identity(&purl.reference_locator, &[Some(&package.name)], package.version_info.as_ref());
                if let Some(identity) = identity {
                    self.push(identity, String::new(), self.image());
                }
            }
            None if package.name == self.inventory.image => {}
            None => self.without += 1,
        }
    }

    /// What advisories call a package; `None`, and noted, for what is no package URL.
    fn identity(&mut self, purl: &str, names: &[Option<&String>], version: Option<&String>) -> Option<Identity> {
        let Some(mut identity) = purl::identity(purl) else {
            self.unreadable.push(purl.to_owned());
            return None;
        };
        // Package URLs of Go have small letters only, and advisories have a module's own.
        if let Some(own) = names.iter().flatten().find(|name| identity.name.eq_ignore_ascii_case(name)) {
            identity.name.clone_from(own);
        }
        identity.version = identity.version.or_else(|| version.cloned()).filter(|version| !version.is_empty());
        Some(identity)
    }

    fn push(&mut self, identity: Identity, path: String, by: By) {
        self.inventory.packages.push(Package { identity, otherwise: None, by, path, functions: None });
    }

    fn image(&self) -> By {
        By { component: self.inventory.image.clone(), version: self.inventory.version.clone() }
    }

    /// Where a package is: in a document of `orlop sbom`, in files and components of the image, as a scan of the image
    /// itself says it; in those of other tools, where the first of its places is.
    fn places(&self, component: &Component) -> Vec<(String, By)> {
        let owner = |reference: &str| self.owners.get(reference).cloned();
        let files = component.locations();
        let mut places: Vec<_> =
            files.iter().filter_map(|file| Some((in_image(file), owner(&format!("file:{file}"))?))).collect();
        if places.is_empty() {
            let keys = component.values(COMPONENT).chain(component.values(USED_BY));
            places = keys.filter_map(|key| Some((String::new(), owner(&format!("component:{key}"))?))).collect();
        }
        if places.is_empty() {
            let first = files.first().map(|file| (*file).to_owned());
            places.push((location(component).or(first).unwrap_or_default(), self.image()));
        }
        places
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

/// References of the files and components of a document of `orlop sbom`, with the component that each belongs to.
fn owners(components: &[Component]) -> BTreeMap<String, By> {
    let mut owners = BTreeMap::new();
    for component in components {
        let Some(key) = component.values(COMPONENT).next() else { continue };
        let by = By { component: key.to_owned(), version: component.version.clone().unwrap_or_default() };
        let files = component.components.iter().flatten().filter_map(|file| file.bom_ref.clone());
        owners.extend(files.map(|file| (file, by.clone())));
        owners.insert(format!("component:{key}"), by);
    }
    owners
}

/// `root/usr/bin/runc` is what a scan of the image calls `/usr/bin/runc`, `initramfs/init` is `initramfs:/init`.
fn in_image(file: &str) -> String {
    match file.split_once('/') {
        Some(("root", path)) => format!("/{path}"),
        Some((place, path)) => format!("{place}:/{path}"),
        None => file.to_owned(),
    }
}

impl Component {
    /// The values of its properties by a name.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let properties = self.properties.iter().flatten();
        properties.filter(move |property| property.name.as_deref() == Some(name)).filter_map(|one| one.value.as_deref())
    }

    /// Where it occurs.
    fn locations(&self) -> Vec<&str> {
        let occurrences = self.evidence.iter().filter_map(|evidence| evidence.occurrences.as_ref()).flatten();
        occurrences.filter_map(|occurrence| occurrence.location.as_deref()).collect()
    }
}

/// Where syft found it.
fn location(component: &Component) -> Option<String> {
    let properties = component.properties.as_deref().unwrap_or_default();
    let path = |property: &Property| {
        let name = property.name.as_deref()?;
        (name.starts_with("syft:location:") && name.ends_with(":path")).then(|| property.value.clone())?
    };
    properties.iter().find_map(path)
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

    /// In the shape that `orlop sbom` writes.
    const OURS: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": {"component": {"type": "operating-system", "bom-ref": "image", "name": "edge", "version": "1.4.0"}},
        "components": [
          {"type": "application", "bom-ref": "component:runc", "name": "github.com/opencontainers/runc", "version": "v1.5.2",
           "purl": "pkg:golang/github.com/opencontainers/runc@v1.5.2",
           "properties": [{"name": "orlop:component", "value": "runc"}],
           "components": [{"type": "file", "bom-ref": "file:root/usr/bin/runc", "name": "/usr/bin/runc"}]},
          {"type": "application", "bom-ref": "component:init", "name": "orlop-init", "version": "0.1.0",
           "properties": [{"name": "orlop:component", "value": "init"}],
           "components": [{"type": "file", "bom-ref": "file:root/usr/libexec/orlop/init", "name": "/usr/libexec/orlop/init"}]},
          {"type": "library", "name": "golang.org/x/net", "version": "v0.35.0", "purl": "pkg:golang/golang.org/x/net@v0.35.0",
           "evidence": {"occurrences": [{"location": "root/usr/bin/runc"}, {"location": "root/usr/libexec/orlop/init"}]}},
          {"type": "library", "name": "libseccomp", "version": "2.6.0-2", "purl": "pkg:deb/debian/libseccomp@2.6.0-2?arch=source",
           "properties": [{"name": "orlop:input", "value": "library.libseccomp"}, {"name": "orlop:used-by", "value": "runc"}]},
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
                "github.com/opencontainers/runc runc v1.5.2",
                "golang.org/x/net runc v1.5.2/usr/bin/runc",
                "golang.org/x/net init 0.1.0/usr/libexec/orlop/init",
                "libseccomp runc v1.5.2",
            ]
        );
        assert_eq!((&*inventory.image, &*inventory.version), ("edge", "1.4.0"));
        assert_eq!((in_image("initramfs/init"), in_image("odd")), ("initramfs:/init".into(), "odd".into()));
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
}
