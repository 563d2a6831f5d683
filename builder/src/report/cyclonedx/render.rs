//! Inventory → document.

use std::collections::{BTreeMap, BTreeSet};

use super::format::{
    Component, Composition, Dependency, Document, Evidence, Hash, Licence, Metadata, Occurrence, Pedigree, Property,
    Tool, Tools,
};
use crate::image::licences::{self, Licences};
use crate::inventory::{self, Identity, Input, Inventory, Kind, Origin, Part, source_purl};
use crate::report::licences::{Packages, document_of};
use crate::report::time::rfc3339;

const IMAGE: &str = "image";

/// The document, with a newline at its end; with what packages declare, and the names of licence texts, where these are known.
pub fn render(inventory: &Inventory, licences: Option<&Licences>) -> String {
    let packages = Packages::new(licences);
    let references = references(inventory);
    let unique = uuid::Builder::from_custom_bytes(inventory.identity(&document_of("cyclonedx", licences))).into_uuid();
    let document = Document {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: unique.urn().to_string(),
        version: 1,
        metadata: Metadata {
            timestamp: rfc3339(inventory.image.epoch),
            tools: Tools {
                components: [Tool { kind: "application", name: "orlop", version: env!("CARGO_PKG_VERSION") }],
            },
            component: image(inventory),
        },
        components: components(inventory, &references, &packages),
        dependencies: dependencies(inventory, &references),
        compositions: compositions(inventory),
    };
    // Strings, numbers and lists of them: all of it has JSON.
    let mut text = serde_json::to_string_pretty(&document).expect("documents have JSON");
    text.push('\n');
    text
}

fn component_ref(key: &str) -> String {
    format!("component:{key}")
}

fn input_ref(key: &str) -> String {
    format!("input:{key}")
}

fn file_ref(name: &str) -> String {
    format!("file:{name}")
}

/// Key of a part → what stands for it: where a component is that very module, the component.
fn references(inventory: &Inventory) -> BTreeMap<&str, String> {
    let components = inventory.represented();
    let reference =
        |key: &str| components.get(key).map_or_else(|| key.to_owned(), |component| component_ref(component));
    inventory.parts.keys().map(|key| (key.as_str(), reference(key))).collect()
}

fn property(name: &'static str, value: impl Into<String>) -> Property {
    Property { name, value: value.into() }
}

fn image(inventory: &Inventory) -> Component {
    let image = &inventory.image;
    Component {
        kind: "operating-system",
        bom_ref: Some(IMAGE.into()),
        name: image.name.clone(),
        version: image.version.clone(),
        properties: vec![
            property("orlop:architecture", &image.architecture),
            property("orlop:class", &image.class),
            property("orlop:kernel", &image.kernel),
            property("orlop:root-hash", &image.root_hash),
        ],
        ..Component::default()
    }
}

fn declared(expression: &str) -> Licence {
    Licence { expression: expression.into(), acknowledgement: "declared" }
}

fn named(kind: &'static str, name: &str, version: &str, identity: Identity) -> Component {
    let licence = identity.licence.map(declared);
    Component {
        kind,
        name: name.into(),
        version: version.into(),
        licenses: licence.into_iter().collect(),
        cpe: identity.cpe,
        purl: identity.purl,
        ..Component::default()
    }
}

fn components(inventory: &Inventory, references: &BTreeMap<&str, String>, packages: &Packages<'_>) -> Vec<Component> {
    let mut components = Vec::new();
    for (key, one) in &inventory.components {
        components.push(with_licences(component(key, one, inventory), packages.of_component(key, one)));
    }
    for (key, one) in inventory.parts.iter().filter(|(key, _)| references.get(key.as_str()) == Some(*key)) {
        components.push(with_licences(part(key, one), packages.of_part(one)));
    }
    for (key, one) in &inventory.inputs {
        components.push(with_licences(input(key, one), packages.of_input(one)));
    }
    components
}

/// What it declares by its own words, and the texts beside its code by their digests: a document has no place for one text of many
/// components.
fn with_licences(mut component: Component, found: Option<&licences::Package>) -> Component {
    let Some(licences::Package { declared: expression, texts, .. }) = found else { return component };
    if let Some(expression) = expression {
        component.licenses = vec![declared(expression)];
    }
    let named = texts.iter().map(|(file, sha256)| property("orlop:licence-text", format!("{file} sha256:{sha256}")));
    component.properties.extend(named);
    component
}

fn component(key: &str, component: &inventory::Component, inventory: &Inventory) -> Component {
    let mut properties = vec![property("orlop:component", key)];
    properties.extend(origin(&component.origin));
    Component {
        bom_ref: Some(component_ref(key)),
        hashes: archive(component.archive_sha256()),
        pedigree: pedigree(&component.origin),
        properties,
        components: inventory.files_of(key).map(|one| file(one, inventory)).collect(),
        evidence: Some(evidence(inventory.files_with(key))).filter(|evidence| !evidence.occurrences.is_empty()),
        ..named("application", &component.name, &component.version, component.identity())
    }
}

/// Where the code of something is.
fn evidence<'a>(files: impl IntoIterator<Item = &'a str>) -> Evidence {
    Evidence { occurrences: files.into_iter().map(|file| Occurrence { location: file.to_owned() }).collect() }
}

fn part(key: &str, part: &Part) -> Component {
    let sum = Some(property("orlop:go-sum", &part.sum)).filter(|_| !part.sum.is_empty());
    let source = part.source.name().map(|source| property("orlop:source", source));
    Component {
        bom_ref: Some(key.into()),
        properties: sum.into_iter().chain(source).collect(),
        evidence: Some(evidence(part.files.iter().map(String::as_str))),
        ..named("library", &part.name, &part.version, Identity::of_part(part))
    }
}

fn input(key: &str, input: &Input) -> Component {
    let mut properties = vec![property("orlop:input", key)];
    properties.extend(input.used_by.iter().map(|user| property("orlop:used-by", user)));
    properties.extend(origin(&input.origin));
    Component {
        bom_ref: Some(input_ref(key)),
        scope: (!input.linked).then_some("excluded"),
        hashes: archive(input.archive_sha256()),
        pedigree: pedigree(&input.origin),
        properties,
        ..named(if input.linked { "library" } else { "application" }, &input.name, &input.version, input.identity())
    }
}

fn archive(sha256: Option<&str>) -> Vec<Hash> {
    sha256.map(|sha256| Hash { alg: "SHA-256", content: sha256.into() }).into_iter().collect()
}

fn origin(origin: &Origin) -> Option<Property> {
    match origin {
        Origin::Url(from) | Origin::Oci(from) | Origin::File(from) | Origin::Other(from) => {
            Some(property("orlop:origin", from))
        }
        Origin::Debian(_) | Origin::DebianSource { .. } | Origin::Go | Origin::Wheel => None,
        Origin::Workspace | Origin::Toolchain | Origin::Image => None,
    }
}

/// The source packages of a Debian package.
fn pedigree(origin: &Origin) -> Option<Pedigree> {
    let Origin::Debian(of) = origin else { return None };
    let ancestor = |source: &inventory::SourcePackage| {
        let identity = Identity { purl: Some(source_purl(source, of)), cpe: None, licence: None };
        named("library", &source.name, &source.version, identity)
    };
    Some(Pedigree { ancestors: of.sources.iter().map(ancestor).collect() })
}

fn file(file: &inventory::File, inventory: &Inventory) -> Component {
    let name = file.name();
    let hash = |alg, content: &str| Hash { alg, content: content.into() };
    let mut properties =
        vec![property("orlop:place", file.place.name()), property("orlop:size", file.size.to_string())];
    if let Kind::Link(target) = &file.kind {
        properties.push(property("orlop:link", target));
    }
    let gaps = inventory.gaps.iter().filter(|gap| gap.file == name);
    properties.extend(gaps.map(|gap| property("orlop:unknown", &gap.what)));
    Component {
        kind: "file",
        bom_ref: Some(file_ref(&name)),
        name: file.path.clone(),
        hashes: vec![hash("SHA-1", &file.sha1), hash("SHA-256", &file.sha256)],
        properties,
        ..Component::default()
    }
}

/// The image needs its components, a component its parts and the libraries that are linked into it, a file its own parts.
fn dependencies(inventory: &Inventory, references: &BTreeMap<&str, String>) -> Vec<Dependency> {
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    dependencies.insert(IMAGE.into(), inventory.components.keys().map(|key| component_ref(key)).collect());
    for (key, component) in &inventory.components {
        let own = component_ref(key);
        let parts = component.parts.iter().filter_map(|part| references.get(part.as_str()));
        let parts: BTreeSet<String> = parts.filter(|part| **part != own).cloned().collect();
        dependencies.insert(own, parts);
    }
    for (key, part) in &inventory.parts {
        let Some(reference) = references.get(key.as_str()) else { continue };
        dependencies.entry(reference.clone()).or_default();
        for file in &part.files {
            dependencies.entry(file_ref(file)).or_default().insert(reference.clone());
        }
    }
    for (key, input) in &inventory.inputs {
        dependencies.entry(input_ref(key)).or_default();
        for user in input.used_by.iter().filter(|user| input.linked && inventory.components.contains_key(*user)) {
            dependencies.entry(component_ref(user)).or_default().insert(input_ref(key));
        }
    }
    let dependency = |(of, on): (String, BTreeSet<String>)| Dependency { of, depends_on: on.into_iter().collect() };
    dependencies.into_iter().map(dependency).collect()
}

/// Where a program does not say what it was built from, the list is not complete.
fn compositions(inventory: &Inventory) -> Vec<Composition> {
    let files: BTreeSet<String> = inventory.gaps.iter().map(|gap| file_ref(&gap.file)).collect();
    let incomplete = Composition { aggregate: "incomplete", assemblies: files.into_iter().collect() };
    Some(incomplete).filter(|one| !one.assemblies.is_empty()).into_iter().collect()
}
