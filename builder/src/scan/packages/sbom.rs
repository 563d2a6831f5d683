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

use super::super::package::Inventory;
use super::account::{Account, Role, architecture};
use crate::bounded::read_at_most;

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
    let bytes = read_at_most(path, MOST)?;
    parse(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).with_context(|| path.display().to_string())
}

pub(super) fn parse(json: &[u8]) -> anyhow::Result<Inventory> {
    let document: Document = serde_json::from_slice(json).context("not a disk image, and no SBOM in JSON")?;
    let (main, list) = if document.bom_format.as_deref() == Some("CycloneDX") {
        (document.metadata.and_then(|metadata| metadata.component), document.components.unwrap_or_default())
    } else if document.spdx_version.as_deref().is_some_and(|version| version.starts_with("SPDX-2.")) {
        let (main, list) = spdx::components(document);
        (Some(main), list)
    } else {
        bail!("JSON, and neither a CycloneDX document (`bomFormat`) nor one of SPDX 2 (`spdxVersion`)");
    };
    let mut account = Account::default();
    own::owners(&list, &mut account);
    if let Some(main) = main {
        about(&main, &mut account)?;
    }
    components(&list, 0, &mut account)?;
    Ok(account.end())
}

/// What the document is about. A program is a package itself, an image is what packages are in.
fn about(main: &Component, account: &mut Account) -> anyhow::Result<()> {
    account.inventory.image.clone_from(&main.name);
    account.inventory.version = main.version.clone().unwrap_or_default();
    account.inventory.architecture = main.architecture().and_then(architecture);
    if matches!(main.kind.as_deref(), Some("application" | "library")) {
        account.add(&main.entry(Role::Part { own: false }));
    }
    components(main.components.as_deref().unwrap_or_default(), 1, account)
}

fn components(list: &[Component], depth: usize, account: &mut Account) -> anyhow::Result<()> {
    if depth > DEPTH {
        bail!("components within each other, more than {DEPTH} of them");
    }
    for component in list {
        match (component.role(), &component.purl, component.kind.as_deref()) {
            // What is made of other components, and no package.
            (Role::Part { .. }, None, Some("file" | "operating-system" | "device" | "firmware")) => {
                component.gaps(account)
            }
            (Role::Part { .. }, None, _) => account.without += 1,
            (role, ..) => account.add(&component.entry(role)),
        }
        components(component.components.as_deref().unwrap_or_default(), depth + 1, account)?;
    }
    Ok(())
}

impl Component {
    /// The values of its properties by a name.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let properties = self.properties.iter().flatten();
        properties.filter(move |property| property.name.as_deref() == Some(name)).filter_map(|one| one.value.as_deref())
    }

    /// Where it occurs: first where syft found it.
    fn locations(&self) -> Vec<&str> {
        let of_syft = |property: &&Property| {
            let name = property.name.as_deref().unwrap_or_default();
            name.starts_with("syft:location:") && name.ends_with(":path")
        };
        let found = self.properties.iter().flatten().filter(of_syft).find_map(|property| property.value.as_deref());
        let occurrences = self.evidence.iter().filter_map(|evidence| evidence.occurrences.as_ref()).flatten();
        found.into_iter().chain(occurrences.filter_map(|occurrence| occurrence.location.as_deref())).collect()
    }
}
