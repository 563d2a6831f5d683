//! Licences, as upstreams declare them for themselves: SPDX expressions, and how often nothing is known.

use std::collections::BTreeMap;

use super::Report;
use super::markup::Html;
use super::table::{folded, row, table};
use crate::inventory::{Component, Identity, Input, Inventory};
use crate::text::count;

/// What stands for a licence that nobody declared here (SPDX's own word).
const UNKNOWN: &str = "NOASSERTION";

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    html.leaf(
        "p",
        &[],
        "SPDX expressions, as each upstream declares them for itself. Nothing is concluded: NOASSERTION is what nobody \
         has looked up.",
    );
    let inventory = report.inventory;
    table(html, "Licences", &["Licence", "Components and libraries", "Modules and crates"], |html| {
        for (licence, (own, parts)) in counts(inventory) {
            row(html, &[licence, &own.to_string(), &parts.to_string()]);
        }
    });
    table(html, "Licence of each component and library", &["Component", "Upstream", "Version", "Licence"], |html| {
        for (key, Component { name, version, .. }, licence) in components(inventory) {
            row(html, &[key, name, version, licence]);
        }
        for (key, Input { name, version, .. }, licence) in libraries(inventory) {
            row(html, &[key, name, version, licence]);
        }
    });
    let title = count(inventory.parts.len(), "module or crate", "modules and crates");
    folded(html, &title, |html| {
        table(html, "Licence of each module and crate", &["Name", "Version", "Licence", "In"], |html| {
            for part in inventory.parts.values() {
                let licence = of(&Identity::of_part(part));
                let files = count(part.files.len(), "file", "files");
                row(html, &[&part.name, &part.version, licence, &files]);
            }
        });
    });
}

fn of(identity: &Identity) -> &'static str {
    identity.licence.unwrap_or(UNKNOWN)
}

fn components(inventory: &Inventory) -> impl Iterator<Item = (&str, &Component, &'static str)> {
    inventory.components.iter().map(|(key, component)| (key.as_str(), component, of(&component.identity())))
}

/// Libraries that are linked in; toolchains are not in the image.
fn libraries(inventory: &Inventory) -> impl Iterator<Item = (&str, &Input, &'static str)> {
    let linked = inventory.inputs.iter().filter(|(_, input)| input.linked);
    linked.map(|(key, input)| (key.as_str(), input, of(&input.identity())))
}

/// Licence → how many components and libraries, how many modules and crates.
fn counts(inventory: &Inventory) -> BTreeMap<&'static str, (usize, usize)> {
    let mut counts: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    let own = components(inventory).map(|(_, _, licence)| licence);
    for licence in own.chain(libraries(inventory).map(|(_, _, licence)| licence)) {
        counts.entry(licence).or_default().0 += 1;
    }
    for part in inventory.parts.values() {
        counts.entry(of(&Identity::of_part(part))).or_default().1 += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::sample::inventory;

    #[test]
    fn all_components_libraries_and_parts_are_counted() {
        let inventory = inventory();
        let counts = counts(&inventory);
        // Of a toolchain nothing is in the image.
        assert_eq!(counts.values().map(|(own, _)| own).sum::<usize>(), inventory.components.len() + 1);
        assert_eq!(counts.values().map(|(_, parts)| parts).sum::<usize>(), inventory.parts.len());
        assert_eq!(counts["Apache-2.0"], (1, 1));
        assert_eq!(counts["LGPL-2.1-only"], (1, 0));
        assert_eq!(counts[UNKNOWN], (1, 2));
    }
}
