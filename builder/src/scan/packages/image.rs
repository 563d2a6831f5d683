//! What an image is made of, by its inventory.

use std::path::Path;

use super::super::package::Inventory;
use super::account::{Account, Entry, Role, architecture};
use crate::inventory::{self, File, Source};

/// Reads which packages an image is made of. Nothing is verified here: `orlop verify` does.
pub fn of_image(path: &Path) -> anyhow::Result<Inventory> {
    Ok(of_inventory(&inventory::read(path)?))
}

/// The packages of an inventory. Entries are those of the CycloneDX that is made of it (`report::cyclonedx`).
pub fn of_inventory(inventory: &inventory::Inventory) -> Inventory {
    let image = &inventory.image;
    let known = Inventory {
        image: image.name.clone(),
        version: image.version.clone(),
        architecture: architecture(&image.architecture),
        patched: inventory.patched.clone(),
        ..Inventory::default()
    };
    let mut account = Account::new(known, inventory.functions.clone());
    for (key, component) in &inventory.components {
        let files: Vec<String> = inventory.files_of(key).map(File::name).collect();
        account.owner(key, &component.version, &files.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for (key, component) in &inventory.components {
        account.add(&Entry {
            purl: component.identity().purl.as_deref(),
            group: None,
            name: &component.name,
            version: &component.version,
            files: inventory.files_with(key),
            role: Role::Component(key),
        });
    }
    let represented = inventory.represented();
    for (_, part) in inventory.parts.iter().filter(|(key, _)| !represented.contains_key(key.as_str())) {
        account.add(&Entry {
            purl: Some(&part.purl()),
            group: None,
            name: &part.name,
            version: &part.version,
            files: part.files.iter().map(String::as_str).collect(),
            role: Role::Part { own: part.source == Source::Own },
        });
    }
    for (key, input) in &inventory.inputs {
        let used_by = input.used_by.iter().map(String::as_str).collect();
        account.add(&Entry {
            purl: input.identity().purl.as_deref(),
            group: None,
            name: &input.name,
            version: &input.version,
            files: Vec::new(),
            role: if input.linked { Role::Library(used_by) } else { Role::Tool { input: key, used_by } },
        });
    }
    for gap in &inventory.gaps {
        account.gap(&gap.file, &gap.what);
    }
    account.end()
}
