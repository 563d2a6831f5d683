//! Which packages somebody's list says that there are: CycloneDX and SPDX 2 in JSON, as `orlop sbom`, syft and others
//! write them. Taken are package URLs; what has none cannot be looked for.

mod own;
mod spdx;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::super::package::{By, Identity, Inventory, Package, Unjudged};
use super::purl;
use own::Owners;

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
    document_describes: Option<Vec<String>>,
    packages: Option<Vec<spdx::Package>>,
    files: Option<Vec<spdx::File>>,
    relationships: Option<Vec<spdx::Relationship>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Default, Deserialize)]
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
    let (main, components) = if document.bom_format.as_deref() == Some("CycloneDX") {
        (document.metadata.and_then(|metadata| metadata.component), document.components.unwrap_or_default())
    } else if document.spdx_version.as_deref().is_some_and(|version| version.starts_with("SPDX-2.")) {
        let (main, components) = spdx::components(document);
        (Some(main), components)
    } else {
        bail!("JSON, and neither a CycloneDX document (`bomFormat`) nor one of SPDX 2 (`spdxVersion`)");
    };
    let mut list = List { owners: Owners::of(&components), ..List::default() };
    list.inventory.own = !list.owners.is_empty();
    if let Some(main) = main {
        list.main(&main)?;
    }
    list.components(&components, 0)?;
    Ok(list.end())
}

#[derive(Default)]
struct List {
    inventory: Inventory,
    /// In a document of `orlop sbom`: which component of the image definition has what.
    owners: Owners,
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
                (Some("excluded"), ..) => self.toolchain(component),
                _ if component.is_own() => self.own(component),
                (_, Some(_), _) => self.component(component),
                // What is made of other components, and no package.
                (_, None, Some("file" | "operating-system" | "device" | "firmware")) => self.gaps(component),
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
        let Some(mut identity) = self.identity(purl, &names, component.version.as_ref()) else { return };
        let otherwise = component.judged_as_in_the_image(&mut identity);
        for (path, by) in self.places(component) {
            self.push(identity.clone(), otherwise.clone(), path, by);
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

    fn push(&mut self, identity: Identity, otherwise: Option<Identity>, path: String, by: By) {
        self.inventory.packages.push(Package { identity, otherwise, by, path, functions: None });
    }

    fn image(&self) -> By {
        By { component: self.inventory.image.clone(), version: self.inventory.version.clone() }
    }

    /// Where a package is: in a document of `orlop sbom`, in files and components of the image, as a scan of the image
    /// itself says it; in those of other tools, where the first of its places is.
    fn places(&self, component: &Component) -> Vec<(String, By)> {
        let files = component.locations();
        let mut places: Vec<_> = files.iter().filter_map(|file| self.owners.file(file)).collect();
        if places.is_empty() {
            places = component.of_components().filter_map(|key| self.owners.component(key)).collect();
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
