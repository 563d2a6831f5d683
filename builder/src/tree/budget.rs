//! Budgets: limits on what the root may hold, with a table of what grew when one is passed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Read;

use orlop_config::definition::Budgets;

use super::audit::is_interpreter;
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
    /// Files that start with `#!`, and known interpreters.
    pub interpreters: u64,
    /// Component → (files, bytes before compression).
    pub components: BTreeMap<String, (u64, u64)>,
}

/// Counts what is in the tree; `root_bytes` is the size of the image made of it.
pub fn measure(tree: &Tree, root_bytes: u64) -> std::io::Result<Measured> {
    let mut measured =
        Measured { root_bytes, files: 0, executables: 0, setuid: 0, interpreters: 0, components: BTreeMap::new() };
    for (path, entry) in tree.iter() {
        let Node::File { mode, content } = &entry.node else { continue };
        measured.files += 1;
        measured.executables += u64::from(mode & 0o111 != 0);
        measured.setuid += u64::from(mode & 0o6000 != 0);
        measured.interpreters += u64::from(is_interpreter(path, *mode) || starts_with_hash_bang(content)?);
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

/// Says which budgets are passed, with a table of what grew since the build `before`, or nothing.
pub fn check(measured: &Measured, before: Option<&Measured>, budgets: &Budgets) -> Result<(), String> {
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
    match before {
        Some(before) => growth(&mut text, &measured.components, &before.components),
        None => sizes(&mut text, &measured.components),
    }
    text.push_str("take something out, or raise the budget in the definition");
    Err(text)
}

type Components = BTreeMap<String, (u64, u64)>;

fn sizes(text: &mut String, components: &Components) {
    text.push_str("by component (files, bytes before compression), largest first:\n");
    let mut rows: Vec<_> = components.iter().collect();
    rows.sort_by_key(|(name, (_, bytes))| (std::cmp::Reverse(*bytes), (*name).clone()));
    for (name, (files, bytes)) in rows {
        let _ = writeln!(text, "  {name:<24} {files:>6} {bytes:>12}");
    }
}

/// Components that are gone stand there too.
fn growth(text: &mut String, now: &Components, before: &Components) {
    let head = ["component", "files", "bytes", "last build", "difference"];
    text.push_str("by component (bytes before compression), what grew most first:\n");
    let _ = writeln!(text, "  {:<24} {:>6} {:>12} {:>12} {:>12}", head[0], head[1], head[2], head[3], head[4]);
    let of = |components: &Components, name: &String| components.get(name).copied().unwrap_or_default();
    let names: BTreeSet<&String> = now.keys().chain(before.keys()).collect();
    let row = |name| {
        let ((files, bytes), (_, old)) = (of(now, name), of(before, name));
        (i128::from(bytes) - i128::from(old), bytes, old, files, name)
    };
    let mut rows: Vec<_> = names.into_iter().map(row).collect();
    rows.sort_by_key(|(difference, bytes, _, _, name)| (std::cmp::Reverse((*difference, *bytes)), *name));
    for (difference, bytes, old, files, name) in rows {
        let _ = writeln!(text, "  {name:<24} {files:>6} {bytes:>12} {old:>12} {difference:>+12}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_since_the_last_build_stands_first_with_its_growth() {
        let measured = |components: &[(&str, (u64, u64))]| Measured {
            root_bytes: 109,
            files: 3,
            executables: 0,
            setuid: 0,
            interpreters: 0,
            components: components.iter().map(|(name, sizes)| ((*name).to_owned(), *sizes)).collect(),
        };
        let before = measured(&[("large", (1, 1000)), ("small", (1, 10)), ("gone", (1, 7))]);
        let now = measured(&[("large", (1, 990)), ("small", (2, 25)), ("new", (1, 4))]);
        let budgets = Budgets { root_bytes: 100, files: 3, executables: 0, setuid: 0, interpreters: 0 };
        let text = check(&now, Some(&before), &budgets).unwrap_err();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let first = rows.iter().position(|row| row.first() == Some(&"component")).unwrap() + 1;
        let want = [
            ["small", "2", "25", "10", "+15"],
            ["new", "1", "4", "0", "+4"],
            ["gone", "0", "0", "7", "-7"],
            ["large", "1", "990", "1000", "-10"],
        ];
        assert_eq!(rows[first..first + 4], want.map(Vec::from), "{text}");
    }

    #[test]
    fn a_passed_budget_names_itself_and_the_largest_component_first() {
        let components = BTreeMap::from([("small".into(), (1, 10)), ("large".into(), (2, 99))]);
        let measured = Measured { root_bytes: 109, files: 3, executables: 0, setuid: 0, interpreters: 0, components };
        let budgets = Budgets { root_bytes: 100, files: 3, executables: 0, setuid: 0, interpreters: 0 };
        let text = check(&measured, None, &budgets).unwrap_err();
        assert!(text.contains("budgets.root_bytes = 100, but it is 109 (9 more)"), "{text}");
        assert!(!text.contains("budgets.files"), "{text}");
        assert!(text.find("large").unwrap() < text.find("small").unwrap(), "{text}");
        assert_eq!(check(&measured, None, &Budgets { root_bytes: 109, ..budgets }), Ok(()));
    }
}
