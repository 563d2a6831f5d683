//! Licences, as upstreams declare them for themselves: SPDX expressions, and how often nothing is known.

use std::collections::BTreeMap;

use super::Report;
use super::markup::Html;
use super::table::{folded, row, table};
use crate::image::licences::Package;
use crate::inventory::{Identity, Inventory};
use crate::report::licences::{Packages, declared};
use crate::text::count;

/// What stands for a licence that nobody declared here (SPDX's own word).
const UNKNOWN: &str = "NOASSERTION";

/// How something is licensed.
struct Licensed<'a> {
    /// The component of the definition, or the input; of a module or crate, in how many files it is.
    key: String,
    name: &'a str,
    version: &'a str,
    /// Its expression.
    licence: &'a str,
    /// The names of its texts.
    texts: String,
}

impl<'a> Licensed<'a> {
    fn new(key: String, (name, version): (&'a str, &'a str), identity: &Identity, found: Option<&'a Package>) -> Self {
        let texts: Vec<&str> = found.into_iter().flat_map(|found| found.texts.keys()).map(String::as_str).collect();
        let texts = if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
        Licensed { key, name, version, licence: declared(found, identity).unwrap_or(UNKNOWN), texts }
    }
}

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let packages = Packages::new(report.licences);
    let (own, parts) = (own(report.inventory, &packages), parts(report.inventory, &packages));
    let with_texts = report.licences.is_some();
    html.leaf(
        "p",
        &[],
        "SPDX expressions, as each upstream declares them for itself. Nothing is concluded: NOASSERTION is what nobody \
         has looked up.",
    );
    if with_texts {
        html.leaf(
            "p",
            &[],
            "Crates declare it in their manifests; others by a text that is one of the usual licences, word for word. The texts \
             themselves are in the document that the build wrote beside the image.",
        );
    }
    table(html, "Licences", &["Licence", "Components and libraries", "Modules and crates"], |html| {
        for (licence, (own, parts)) in counts(&own, &parts) {
            row(html, &[licence, &own.to_string(), &parts.to_string()]);
        }
    });
    let columns = |of: [&'static str; 4]| {
        let texts = with_texts.then_some("Texts beside its code");
        of.into_iter().chain(texts).collect::<Vec<_>>()
    };
    let columns_of_own = columns(["Component", "Upstream", "Version", "Licence"]);
    table(html, "Licence of each component and library", &columns_of_own, |html| {
        for Licensed { key, name, version, licence, texts } in &own {
            cells(html, [key, name, version, licence], with_texts.then_some(texts));
        }
    });
    let title = count(parts.len(), "module or crate", "modules and crates");
    folded(html, &title, |html| {
        let columns_of_parts = columns(["Name", "Version", "Licence", "In"]);
        table(html, "Licence of each module and crate", &columns_of_parts, |html| {
            for Licensed { key, name, version, licence, texts } in &parts {
                cells(html, [name, version, licence, key], with_texts.then_some(texts));
            }
        });
    });
}

fn cells(html: &mut Html, cells: [&str; 4], texts: Option<&String>) {
    row(html, &cells.into_iter().chain(texts.map(String::as_str)).collect::<Vec<_>>());
}

/// Components, and libraries that are linked in; toolchains are not in the image.
fn own<'a>(inventory: &'a Inventory, packages: &Packages<'a>) -> Vec<Licensed<'a>> {
    let components = inventory.components.iter().map(|(key, component)| {
        let found = packages.of_component(key, component);
        Licensed::new(key.clone(), (&component.name, &component.version), &component.identity(), found)
    });
    let libraries = inventory.inputs.iter().filter(|(_, input)| input.linked).map(|(key, input)| {
        let found = packages.of_input(input);
        Licensed::new(key.clone(), (&input.name, &input.version), &input.identity(), found)
    });
    components.chain(libraries).collect()
}

fn parts<'a>(inventory: &'a Inventory, packages: &Packages<'a>) -> Vec<Licensed<'a>> {
    let parts = inventory.parts.values().map(|part| {
        let files = count(part.files.len(), "file", "files");
        Licensed::new(files, (&part.name, &part.version), &Identity::of_part(part), packages.of_part(part))
    });
    parts.collect()
}

/// Licence → how many components and libraries, how many modules and crates.
fn counts<'a>(own: &[Licensed<'a>], parts: &[Licensed<'a>]) -> BTreeMap<&'a str, (usize, usize)> {
    let mut counts: BTreeMap<&'a str, (usize, usize)> = BTreeMap::new();
    for one in own {
        counts.entry(one.licence).or_default().0 += 1;
    }
    for one in parts {
        counts.entry(one.licence).or_default().1 += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::licences::tests::sample;
    use crate::inventory::sample::inventory;

    #[test]
    fn all_components_libraries_and_parts_are_counted() {
        let (inventory, licences) = (inventory(), sample());
        for (licences, known) in [(None, (UNKNOWN, (1, 2))), (Some(&licences), ("MIT OR ISC", (0, 1)))] {
            let packages = Packages::new(licences);
            let (own, parts) = (own(&inventory, &packages), parts(&inventory, &packages));
            // Of a toolchain nothing is in the image.
            assert_eq!((own.len(), parts.len()), (inventory.components.len() + 1, inventory.parts.len()));
            let counts = counts(&own, &parts);
            assert_eq!(counts.values().map(|(own, _)| own).sum::<usize>(), own.len());
            assert_eq!(counts.values().map(|(_, parts)| parts).sum::<usize>(), parts.len());
            assert_eq!(counts["Apache-2.0"], (1, 1));
            assert_eq!(counts["LGPL-2.1-only"], (1, 0));
            assert_eq!(counts[known.0], known.1);
        }
    }

    #[test]
    fn the_texts_of_each_are_named() {
        let (inventory, licences) = (inventory(), sample());
        let parts = parts(&inventory, &Packages::new(Some(&licences)));
        let texts: Vec<(&str, &str)> = parts.iter().map(|part| (part.name, part.texts.as_str())).collect();
        let expected =
            [("nix", "none"), ("github.com/opencontainers/runc", "LICENSE"), ("golang.org/x/net", "LICENSE, PATENTS")];
        assert_eq!(texts, expected);
    }
}
