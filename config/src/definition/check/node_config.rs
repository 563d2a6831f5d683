//! Who may give the node config.

use super::super::Definition;
use super::Report;

pub(super) fn check(definition: &Definition, report: &mut Report) {
    let Some(table) = &definition.node_config else { return };
    let next = "name one, such as \"fw_cfg\", or leave the table out: then the node needs no configuration";
    let message = "nobody may give the node its configuration".to_string();
    report.expect(!table.providers.is_empty(), &["node_config", "providers"], message, next);
    let providers: Vec<&str> = table.providers.iter().map(|provider| provider.name()).collect();
    let allow: Vec<&str> = table.allow.iter().map(|what| what.name()).collect();
    for (key, names) in [("providers", providers), ("allow", allow)] {
        for (index, name) in names.iter().enumerate() {
            let message = format!("`{name}` stands there twice");
            report.expect(!names[..index].contains(name), &["node_config", key], message, "name it once");
        }
    }
}
