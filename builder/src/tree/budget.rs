//! Budgets: limits on what the root may hold, with a table of what grew when one is passed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Read;

use orlop_config::definition::Budgets;

use super::{Content, Node, Tree};

/// What a tree holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// Bytes of the root image, compressed.
    pub root_bytes: u64,
    /// Regular files.
    pub files: u64,
    /// Regular files with an execute bit.
    pub executables: u64,
    /// Files with a setuid or setgid bit.
    pub setuid: u64,
    /// Files that start with `#!`.
    pub interpreters: u64,
    /// Component → (files, bytes before compression).
    pub components: BTreeMap<String, (u64, u64)>,
}

/// Counts what is in the tree; `root_bytes` is the size of the image made of it.
pub fn measure(tree: &Tree, root_bytes: u64) -> std::io::Result<Measured> {
    let mut measured =
        Measured { root_bytes, files: 0, executables: 0, setuid: 0, interpreters: 0, components: BTreeMap::new() };
    for (_, entry) in tree.iter() {
        let Node::File { mode, content } = &entry.node else { continue };
        measured.files += 1;
        measured.executables += u64::from(mode & 0o111 != 0);
        measured.setuid += u64::from(mode & 0o6000 != 0);
        measured.interpreters += u64::from(starts_with_hash_bang(content)?);
        let component = measured.components.entry(entry.component.clone()).or_default();
        component.0 += 1;
        component.1 += content.size();
    }
    Ok(measured)
}

fn starts_with_hash_bang(content: &Content) -> std::io::Result<bool> {
    let mut head = Vec::new();
    content.open()?.take(2).read_to_end(&mut head)?;
    Ok(head == b"#!")
}

/// Says which budgets are passed, with a table of the components, or nothing.
pub fn check(measured: &Measured, budgets: &Budgets) -> Result<(), String> {
    let rows = [
        ("root_bytes", measured.root_bytes, budgets.root_bytes),
        ("files", measured.files, budgets.files),
        ("executables", measured.executables, budgets.executables),
        ("setuid", measured.setuid, budgets.setuid),
        ("interpreters", measured.interpreters, budgets.interpreters),
    ];
    let over: Vec<_> = rows.iter().filter(|(_, is, limit)| is > limit).collect();
    if over.is_empty() {
        return Ok(());
    }
    let mut text = String::from("the root is over its budget:\n");
    for (name, is, limit) in over {
        let _ = writeln!(text, "  budgets.{name} = {limit}, but it is {is} ({} more)", is - limit);
    }
    text.push_str("by component (files, bytes before compression), largest first:\n");
    let mut components: Vec<_> = measured.components.iter().collect();
    components.sort_by_key(|(name, (_, bytes))| (std::cmp::Reverse(*bytes), (*name).clone()));
    for (name, (files, bytes)) in components {
        let _ = writeln!(text, "  {name:<24} {files:>6} {bytes:>12}");
    }
    text.push_str("take something out, or raise the budget in the definition");
    Err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_budget_names_itself_and_the_largest_component_first() {
        let components = BTreeMap::from([("small".into(), (1, 10)), ("large".into(), (2, 99))]);
        let measured = Measured { root_bytes: 109, files: 3, executables: 0, setuid: 0, interpreters: 0, components };
        let budgets = Budgets { root_bytes: 100, files: 3, executables: 0, setuid: 0, interpreters: 0 };
        let text = check(&measured, &budgets).unwrap_err();
        assert!(text.contains("budgets.root_bytes = 100, but it is 109 (9 more)"), "{text}");
        assert!(!text.contains("budgets.files"), "{text}");
        assert!(text.find("large").unwrap() < text.find("small").unwrap(), "{text}");
        assert_eq!(check(&measured, &Budgets { root_bytes: 109, ..budgets }), Ok(()));
    }
}
