//! Components → tree: what each component's `install` and `links` name, at the paths they name.

use orlop_config::definition::{Component, Definition, matches};

use super::{Content, Node, Tree};
use crate::sources::{Produced, ProducedFile, ProducedKind};

/// Why the tree cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Two components name the same path.
    #[error(
        "{path}: component `{second}` puts a file where component `{first}` has one already; install one of them elsewhere"
    )]
    Twice {
        /// The path.
        path: String,
        /// Who has it.
        first: String,
        /// Who wants it too.
        second: String,
    },
    /// A file stands where a folder is needed.
    #[error("{path} (component `{component}`): {parent} is no folder, component `{owner}` has a file there")]
    NotAFolder {
        /// The path that is wanted.
        path: String,
        /// The file in its way.
        parent: String,
        /// Who wants the path.
        component: String,
        /// Who has the file.
        owner: String,
    },
    /// Not a normalized absolute path.
    #[error(
        "`{path}` (component `{component}`) is no normalized absolute path; write it without `.`, `..` and empty parts"
    )]
    Path {
        /// The path.
        path: String,
        /// Who wants it.
        component: String,
    },
    /// The source did not yield the file.
    #[error("component `{component}`: its source yields no `{from}` (wanted at {path}); it yields {yields}")]
    Missing {
        /// The component.
        component: String,
        /// What `install` names.
        from: String,
        /// Where it should go.
        path: String,
        /// The first few files that there are.
        yields: String,
    },
    /// A mode that is no octal number.
    #[error("component `{component}`: mode `{mode}` of {path} is no octal number such as \"0644\"")]
    Mode {
        /// The component.
        component: String,
        /// The path.
        path: String,
        /// The text.
        mode: String,
    },
    /// A file in the cache that cannot be read, or is not as it was made; the text names it and the next step.
    #[error("{0}")]
    Unreadable(std::io::Error),
}

/// Puts what every component installs into `tree`.
pub fn collect(
    tree: &mut Tree,
    definition: &Definition,
    produced: &std::collections::BTreeMap<String, Produced>,
) -> Result<(), CollectError> {
    for (name, component) in &definition.components {
        if let Some(produced) = produced.get(name) {
            Installer { tree, name, component, produced }.install()?;
        }
        for (path, target) in &component.links {
            tree.insert(path, name, Node::Link { target: target.clone() })?;
        }
    }
    Ok(())
}

struct Installer<'a> {
    tree: &'a mut Tree,
    name: &'a str,
    component: &'a Component,
    produced: &'a Produced,
}

impl Installer<'_> {
    fn install(&mut self) -> Result<(), CollectError> {
        for (to, from) in &self.component.install {
            if to.ends_with('/') {
                self.folder(to, from)?;
            } else if from.contains('*') {
                self.concatenation(to, from)?;
            } else {
                let file = self.produced.files.get(from).ok_or_else(|| self.missing(to, from))?;
                self.file(to, file)?;
            }
        }
        Ok(())
    }

    /// A key that ends in `/` takes all that lies in a folder (or all there is, for `.`).
    fn folder(&mut self, to: &str, from: &str) -> Result<(), CollectError> {
        let prefix = match from.trim_end_matches('/') {
            "" | "." => String::new(),
            folder => format!("{folder}/"),
        };
        let mut found = false;
        for (path, file) in &self.produced.files {
            if let Some(rest) = path.strip_prefix(&prefix) {
                found = true;
                self.file(&format!("{to}{rest}"), file)?;
            }
        }
        if found { Ok(()) } else { Err(self.missing(to, from)) }
    }

    /// A pattern for one file is the sorted concatenation of what it matches.
    fn concatenation(&mut self, to: &str, from: &str) -> Result<(), CollectError> {
        let mut bytes = Vec::new();
        for (_, file) in self.produced.files.iter().filter(|(path, _)| matches(from, path)) {
            bytes.extend(super::read_produced(file).map_err(CollectError::Unreadable)?);
        }
        if bytes.is_empty() {
            return Err(self.missing(to, from));
        }
        let node = Node::File { mode: self.mode(to, 0o644)?, content: Content::Bytes(bytes) };
        self.tree.insert(to, self.name, node)
    }

    fn file(&mut self, to: &str, file: &ProducedFile) -> Result<(), CollectError> {
        let node = match &file.kind {
            ProducedKind::Link { target } => Node::Link { target: target.clone() },
            ProducedKind::File { size, sha256, executable } => {
                let mode = self.mode(to, if *executable { 0o755 } else { 0o644 })?;
                let content = Content::Cached { path: file.path.clone(), size: *size, sha256: sha256.clone() };
                Node::File { mode, content }
            }
        };
        self.tree.insert(to, self.name, node)
    }

    fn mode(&self, path: &str, default: u32) -> Result<u32, CollectError> {
        let Some(text) = self.component.modes.get(path) else { return Ok(default) };
        u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| CollectError::Mode {
            component: self.name.into(),
            path: path.into(),
            mode: text.clone(),
        })
    }

    fn missing(&self, path: &str, from: &str) -> CollectError {
        let mut yields: Vec<_> = self.produced.files.keys().take(8).map(|name| format!("`{name}`")).collect();
        if self.produced.files.len() > yields.len() {
            yields.push(format!("… ({} files)", self.produced.files.len()));
        }
        CollectError::Missing {
            component: self.name.into(),
            from: from.into(),
            path: path.into(),
            yields: yields.join(", "),
        }
    }
}
