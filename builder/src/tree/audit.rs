//! What must not be in a root: paths that no allow-list names, setuid bits, interpreters, dynamic ELF files,
//! world-writable files, links that lead out.

use std::fmt;
use std::io::Read;

use orlop_config::definition::{Definition, matches};

use super::{Entry, IMAGE, Node, Tree};
use crate::formats::elf;

/// Something that must not be in the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The path.
    pub path: String,
    /// The component that put it there.
    pub component: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (component `{}`): {}", self.path, self.component, self.what)
    }
}

/// Programs that run what they are told, by name; a version may follow.
const INTERPRETERS: &[&str] = &[
    "ash", "awk", "bash", "busybox", "csh", "dash", "fish", "gawk", "guile", "ksh", "lua", "luajit", "mawk", "mksh",
    "node", "nodejs", "perl", "php", "pypy", "python", "ruby", "sh", "tclsh", "tcsh", "toybox", "zsh",
];
/// A dynamic section has a few dozen entries.
const MOST_DYNAMIC: u64 = 64 * 1024;

/// As much of a file as tells an interpreter script from an ELF program with its program headers.
const HEAD: u64 = 4096;

/// Looks at every path of the tree; an empty answer is a good one.
pub fn audit(tree: &Tree, definition: &Definition) -> std::io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, entry) in tree.iter() {
        let mut add = |what: String| {
            findings.push(Finding { path: path.into(), component: entry.component.clone(), what });
        };
        if !is_allowed(path, entry, definition) {
            add("no pattern of the component's `allow` names it; add one, or install less".into());
        }
        match &entry.node {
            Node::Folder { mode } => audit_mode(*mode, &mut add),
            Node::File { mode, .. } => {
                audit_mode(*mode, &mut add);
                if is_interpreter(path, *mode) {
                    add("is an interpreter by its name: the root has none".into());
                }
                audit_content(entry, &mut add)?;
            }
            Node::Link { target } => {
                if !stays_inside(path, target) {
                    add(format!("link to `{target}` leads out of the root; make it relative"));
                }
            }
        }
    }
    Ok(findings)
}

fn is_allowed(path: &str, entry: &Entry, definition: &Definition) -> bool {
    if entry.component == IMAGE {
        return true;
    }
    let Some(component) = definition.components.get(&entry.component) else { return false };
    component.allow.iter().any(|pattern| matches(pattern, path))
}

fn audit_mode(mode: u32, add: &mut impl FnMut(String)) {
    if mode & 0o6000 != 0 {
        add(format!("mode {mode:04o} has a setuid or setgid bit; nothing on the node may gain privilege by its file"));
    }
    if mode & 0o002 != 0 {
        add(format!("mode {mode:04o} is writable by everybody"));
    }
}

fn audit_content(entry: &Entry, add: &mut impl FnMut(String)) -> std::io::Result<()> {
    let Node::File { content, .. } = &entry.node else { return Ok(()) };
    let mut head = Vec::new();
    content.open()?.take(HEAD).read_to_end(&mut head)?;
    if head.starts_with(b"#!") {
        let line = head.split(|&b| b == b'\n').next().unwrap_or_default();
        add(format!("starts with `{}`: the root has no interpreter", String::from_utf8_lossy(line)));
    }
    if let Some(interpreter) = elf::interpreter(&head) {
        add(format!("is a dynamic program (`{interpreter}`): the root has no libc; link it statically"));
    } else if let Some((at, length)) = elf::dynamic_section(&head) {
        let mut section = Vec::new();
        let mut rest = content.open()?;
        std::io::copy(&mut (&mut rest).take(at), &mut std::io::sink())?;
        rest.take(length.min(MOST_DYNAMIC)).read_to_end(&mut section)?;
        if elf::needs_libraries(&section) {
            add("needs shared libraries: the root has none; link it statically".into());
        }
    }
    Ok(())
}

/// Whether a file is a known interpreter: by its name, as far as that goes, and an execute bit.
pub fn is_interpreter(path: &str, mode: u32) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let without_version = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    mode & 0o111 != 0 && INTERPRETERS.contains(&without_version)
}

/// Whether a link at `path` to `target` stays inside the root, by its text alone.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return false;
    }
    let mut depth = path.matches('/').count() as i64 - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn links_that_lead_out_are_seen() {
        assert!(stays_inside("/usr/bin/mount", "../libexec/orlop/init"));
        assert!(stays_inside("/etc/hosts", "../run/etc/hosts"));
        assert!(!stays_inside("/etc/hosts", "../../run/etc/hosts"));
        assert!(!stays_inside("/etc/hosts", "/run/etc/hosts"));
        assert!(!stays_inside("/usr/bin/x", "a/../../../../b"));
    }
}
