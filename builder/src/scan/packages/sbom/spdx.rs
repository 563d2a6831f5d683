//! SPDX 2, in the words of CycloneDX: what stands there at each component stands here in relationships. So a document of
//! `orlop sbom` says the same in both formats, goes through the same rules, and a scan of either comes to what a scan of the
//! image comes to. What relationships have no words for stands in sentences (`report::spdx`).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::own::{ARCHITECTURE, COMPONENT, INPUT, SOURCE, UNKNOWN, USED_BY};
use super::{Component, Document, Evidence, Occurrence, Property};
use crate::inventory::Source;

/// The document's own name in relationships.
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// `A CONTAINS B`: of a package its files.
const CONTAINS: &str = "CONTAINS";
/// `A STATIC_LINK B`: B's code is in A.
const STATIC_LINK: &str = "STATIC_LINK";
/// `A GENERATED_FROM B`: B is the source of A.
const GENERATED_FROM: &str = "GENERATED_FROM";
/// `A BUILD_TOOL_OF B`: A took part in making B.
const BUILD_TOOL_OF: &str = "BUILD_TOOL_OF";
/// `A TYPE B`: A took part in making B, or in trying it.
const TOOLS: [&str; 7] = [
    BUILD_TOOL_OF,
    "DEV_TOOL_OF",
    "DEV_DEPENDENCY_OF",
    "TEST_TOOL_OF",
    "TEST_DEPENDENCY_OF",
    "TEST_CASE_OF",
    "TEST_OF",
];
/// `A TYPE B`: A is in B, or may be. What a build depends on may have been linked in.
const IN: [&str; 9] = [
    "CONTAINED_BY",
    "DEPENDENCY_OF",
    "RUNTIME_DEPENDENCY_OF",
    "BUILD_DEPENDENCY_OF",
    "OPTIONAL_DEPENDENCY_OF",
    "PROVIDED_DEPENDENCY_OF",
    "OPTIONAL_COMPONENT_OF",
    "PACKAGE_OF",
    "PREREQUISITE_FOR",
];
/// `A TYPE B`: B is in A, or may be.
const HAS: [&str; 5] = [CONTAINS, STATIC_LINK, "DYNAMIC_LINK", "DEPENDS_ON", "HAS_PREREQUISITE"];
/// What the comment of a link begins and ends with in a document of `orlop sbom`; that of another file says what is not known
/// of it, a line for each.
const LINK: [&str; 2] = ["symbolic link to ", "; hashes are those of its target's name"];
/// What the comment of the image has around its architecture there.
const FOR: [&str; 2] = ["Orlop image for ", ", class "];
/// Where the code of its own crates came from there.
const OWN: &str = "compiled from the sources of orlop itself: no registry has it";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Package {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    name: String,
    version_info: Option<String>,
    primary_package_purpose: Option<String>,
    source_info: Option<String>,
    comment: Option<String>,
    external_refs: Option<Vec<ExternalRef>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    file_name: Option<String>,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relationship {
    spdx_element_id: Option<String>,
    relationship_type: Option<String>,
    related_spdx_element: Option<String>,
}

/// What a document is about, and what is in that.
pub(super) fn components(document: Document) -> (Component, Vec<Component>) {
    let Document { name, document_describes, packages, files, relationships, .. } = document;
    let (packages, files) = (packages.unwrap_or_default(), files.unwrap_or_default());
    let relationships = relationships.unwrap_or_default();
    let reading = Reading::new(&packages, &files, &relationships);
    let described = reading.described(&document_describes.unwrap_or_default());
    let main = match described {
        Some(package) => reading.component(package),
        None => Component { name: name.unwrap_or_default(), ..Component::default() },
    };
    let is_main = |package: &Package| match described {
        Some(described) => std::ptr::eq(package, described),
        None => package.name == main.name && package.purl().is_none(),
    };
    let others = packages.iter().filter(|package| !is_main(package) && !reading.is_source_of_ours(package));
    let components = others.map(|package| reading.component(package)).collect();
    (main, components)
}

/// A document, by its identifiers.
struct Reading<'a> {
    packages: BTreeMap<&'a str, &'a Package>,
    files: BTreeMap<&'a str, &'a File>,
    relations: Relations<'a>,
    /// File → package URLs of the components of the image definition that are linked into it.
    linked: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// File → package URLs of the components of the image definition that it is of.
    owned: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Reading<'a> {
    /// Of two packages with one identifier nothing is related to the second.
    fn new(packages: &'a [Package], files: &'a [File], relationships: &'a [Relationship]) -> Reading<'a> {
        let mut reading = Reading {
            packages: BTreeMap::new(),
            files: files.iter().filter_map(|file| Some((file.id.as_deref()?, file))).collect(),
            relations: Relations::of(relationships),
            linked: BTreeMap::new(),
            owned: BTreeMap::new(),
        };
        for package in packages {
            if let Some(id) = package.id.as_deref() {
                reading.packages.entry(id).or_insert(package);
            }
        }
        for (left, kind, right) in relationships.iter().filter_map(Relationship::parts) {
            let purl = |id: &str| reading.packages.get(id).and_then(|package| package.purl());
            let is_component = |id: &str| reading.packages.get(id).is_some_and(|of| of.key(COMPONENT).is_some());
            match kind {
                STATIC_LINK if is_component(right) => reading.linked.entry(left).or_default().extend(purl(right)),
                CONTAINS if is_component(left) => reading.owned.entry(right).or_default().extend(purl(left)),
                _ => {}
            }
        }
        reading
    }

    /// The package that the document is about, where it is about one.
    fn described(&self, listed: &[String]) -> Option<&'a Package> {
        let mut ids: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
        ids.extend(self.relations.right(DOCUMENT, "DESCRIBES"));
        ids.extend(self.relations.left(DOCUMENT, "DESCRIBED_BY"));
        let mut packages = ids.into_iter().filter_map(|id| self.packages.get(id).copied());
        packages.next().filter(|_| packages.next().is_none())
    }

    /// Whether it is the source package of something of ours: that was compiled elsewhere, and is judged as what came of it.
    fn is_source_of_ours(&self, package: &Package) -> bool {
        let made = self.relations.left(self.id(package), GENERATED_FROM);
        let is_ours = |id: &&str| self.packages.get(*id).is_some_and(|made| made.mark().is_some());
        package.mark().is_none() && made.iter().any(is_ours)
    }

    /// What relationships call a package; empty where they cannot mean it.
    fn id<'p>(&self, package: &'p Package) -> &'p str {
        let id = package.id.as_deref().unwrap_or_default();
        let is_it = self.packages.get(id).is_some_and(|found| std::ptr::eq(*found, package));
        if is_it { id } else { "" }
    }

    fn component(&self, package: &Package) -> Component {
        let id = self.id(package);
        let mark = package.mark();
        let mut properties: Vec<Property> = mark.iter().map(|(name, key)| property(name, key)).collect();
        let mut files = Vec::new();
        match mark {
            Some((COMPONENT, _)) => {
                files = self.relations.right(id, CONTAINS).into_iter().filter_map(|file| self.file(file)).collect();
            }
            Some(_) => properties.extend(self.users(id).map(|user| property(USED_BY, user))),
            None => {
                let source = Source::Own.name().filter(|_| package.source_info.as_deref() == Some(OWN));
                properties.extend(source.map(|own| property(SOURCE, own)));
                properties.extend(package.architecture().map(|name| property(ARCHITECTURE, name)));
            }
        }
        let occurrence = |file: &str| Occurrence { location: Some(file.to_owned()) };
        let occurrences = self.code(id, package).into_iter().map(occurrence).collect();
        Component {
            name: package.name.clone(),
            version: package.version_info.clone(),
            kind: Some(package.kind().to_owned()),
            scope: self.is_tool(id).then(|| "excluded".to_owned()),
            purl: package.purl().map(str::to_owned),
            properties: Some(properties),
            evidence: Some(Evidence { occurrences: Some(occurrences) }),
            components: Some(files),
            ..Component::default()
        }
    }

    /// The files in which a package's code is. Several components may be one module, such as a daemon and its shim, and
    /// relationships name the first of them alone: what another one has is that one's.
    fn code(&self, id: &str, package: &Package) -> BTreeSet<&'a str> {
        let purl = package.key(COMPONENT).and_then(|_| package.purl());
        let is_in = |of: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &str| {
            of.get(file).zip(purl).is_some_and(|(purls, purl)| purls.contains(purl))
        };
        let named = self.relations.left(id, STATIC_LINK).into_iter().filter(|file| !is_in(&self.owned, file));
        let own = self.relations.right(id, CONTAINS).into_iter().filter(|file| is_in(&self.linked, file));
        named.chain(own).filter_map(|file| self.files.get(file)?.name()).collect()
    }

    /// The components of the image definition that an input was linked into, or took part in.
    fn users(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let users = [self.relations.left(id, STATIC_LINK), self.relations.right(id, BUILD_TOOL_OF)].concat();
        users.into_iter().filter_map(move |user| self.packages.get(user)?.key(COMPONENT))
    }

    /// Whether it only took part in something, and nothing says that it is in anything.
    fn is_tool(&self, id: &str) -> bool {
        let right = |kinds: &[&str]| kinds.iter().any(|kind| !self.relations.right(id, kind).is_empty());
        let left = |kinds: &[&str]| kinds.iter().any(|kind| !self.relations.left(id, kind).is_empty());
        right(&TOOLS) && !right(&IN) && !left(&HAS)
    }

    /// A file of a component, with what is not known of it.
    fn file(&self, id: &str) -> Option<Component> {
        let file = *self.files.get(id)?;
        let name = file.name()?;
        Some(Component {
            bom_ref: Some(format!("file:{name}")),
            name: name.to_owned(),
            kind: Some("file".to_owned()),
            properties: Some(file.unknown().map(|what| property(UNKNOWN, what)).collect()),
            ..Component::default()
        })
    }
}

impl Package {
    /// What it is in the image definition or in the build, and its name there: a document of `orlop sbom` says it in the
    /// comments of what it calls so.
    fn mark(&self) -> Option<(&'static str, &str)> {
        let (id, comment) = (self.id.as_deref()?, self.comment.as_deref()?);
        if id.starts_with("SPDXRef-Component-") {
            let key = comment.strip_prefix("component `")?.strip_suffix("` of the image definition")?;
            Some((COMPONENT, key))
        } else if id.starts_with("SPDXRef-Input-") {
            Some((INPUT, comment.strip_prefix("build input `")?.strip_suffix('`')?))
        } else {
            None
        }
    }

    /// Its name as one of these.
    fn key(&self, wanted: &str) -> Option<&str> {
        self.mark().filter(|(name, _)| *name == wanted).map(|(_, key)| key)
    }

    /// The architecture of the image that it is.
    fn architecture(&self) -> Option<&str> {
        let [before, after] = FOR;
        Some(self.comment.as_deref()?.strip_prefix(before)?.split_once(after)?.0)
    }

    fn purl(&self) -> Option<&str> {
        let mut references = self.external_refs.iter().flatten();
        references.find(|one| one.reference_type == "purl").map(|one| one.reference_locator.as_str())
    }

    /// As CycloneDX calls what is made of other packages; all else is a package.
    fn kind(&self) -> &'static str {
        match self.primary_package_purpose.as_deref() {
            Some("CONTAINER") => "container",
            Some("OPERATING-SYSTEM") => "operating-system",
            Some("DEVICE") => "device",
            Some("FIRMWARE") => "firmware",
            Some("FILE") => "file",
            _ => "application",
        }
    }
}

impl File {
    /// Place and path, as `orlop sbom` writes them in CycloneDX: without the `./` in front.
    fn name(&self) -> Option<&str> {
        let name = self.file_name.as_deref()?;
        Some(name.strip_prefix("./").unwrap_or(name))
    }

    /// What is not known of it.
    fn unknown(&self) -> impl Iterator<Item = &str> {
        let [begin, end] = LINK;
        let is_link = |comment: &&str| comment.starts_with(begin) && comment.ends_with(end);
        let comment = self.comment.as_deref().filter(|comment| !is_link(comment));
        comment.into_iter().flat_map(str::lines).filter(|line| !line.is_empty())
    }
}

impl Relationship {
    /// Left side, type and right side; `None` where one is missing, or is nothing or nobody knows what.
    fn parts(&self) -> Option<(&str, &str, &str)> {
        let (left, right) = (self.spdx_element_id.as_deref()?, self.related_spdx_element.as_deref()?);
        let is_one = |id: &str| !matches!(id, "" | "NONE" | "NOASSERTION");
        (is_one(left) && is_one(right)).then_some((left, self.relationship_type.as_deref()?, right))
    }
}

/// Who is related to whom.
#[derive(Default)]
struct Relations<'a> {
    /// What stands on the left → type, and what stands on the right.
    right: BTreeMap<&'a str, Vec<(&'a str, &'a str)>>,
    /// What stands on the right → type, and what stands on the left.
    left: BTreeMap<&'a str, Vec<(&'a str, &'a str)>>,
}

impl<'a> Relations<'a> {
    fn of(relationships: &'a [Relationship]) -> Relations<'a> {
        let mut relations = Relations::default();
        for (left, kind, right) in relationships.iter().filter_map(Relationship::parts) {
            relations.right.entry(left).or_default().push((kind, right));
            relations.left.entry(right).or_default().push((kind, left));
        }
        relations
    }

    /// What stands on the right of this one.
    fn right(&self, id: &str, kind: &str) -> Vec<&'a str> {
        others(self.right.get(id).map(Vec::as_slice).unwrap_or_default(), kind)
    }

    /// What stands on the left of this one.
    fn left(&self, id: &str, kind: &str) -> Vec<&'a str> {
        others(self.left.get(id).map(Vec::as_slice).unwrap_or_default(), kind)
    }
}

fn others<'a>(related: &[(&'a str, &'a str)], kind: &str) -> Vec<&'a str> {
    related.iter().filter(|(of, _)| *of == kind).map(|(_, other)| *other).collect()
}

fn property(name: &str, value: &str) -> Property {
    Property { name: Some(name.to_owned()), value: Some(value.to_owned()) }
}
