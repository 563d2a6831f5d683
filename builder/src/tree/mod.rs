//! The root before it is a filesystem: paths with mode and content, by reference. Everything belongs to 0:0
//! and carries the build's epoch; nothing is ever extracted onto the host.

mod audit;
mod cached;
mod collect;
mod components;
mod fixed;
mod modules;
mod tar;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;

pub use audit::{Finding, audit, is_interpreter};
pub use cached::{Checked, read as read_produced};
pub use collect::{CollectError, collect};
pub use components::{ComponentRecord, Components, InputRecord, Records, components};
pub use fixed::Fixed;
pub use modules::{ModuleWaves, module_name, waves};
pub use tar::{digest, write as write_tar};

/// The name that files made by the builder itself carry instead of a component's.
pub const IMAGE: &str = "image";
/// The crate whose program is the init of initramfs and root.
pub const INIT: &str = "orlop-init";

/// Paths (absolute, normalized) in order; the order is the filesystem's.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

/// One path of the tree.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The component that put it there.
    pub component: String,
    /// What it is.
    pub node: Node,
}

/// What a path is.
#[derive(Debug, Clone)]
pub enum Node {
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Its bytes.
        content: Content,
    },
    /// A symbolic link.
    Link {
        /// Relative target.
        target: String,
    },
}

/// A file's bytes, by reference where they are in the cache.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory: what the builder rendered.
    Bytes(Vec<u8>),
    /// In the cache.
    Cached {
        /// Where.
        path: PathBuf,
        /// How many bytes.
        size: u64,
        /// SHA-256 of its bytes, lowercase hex.
        sha256: String,
    },
}

impl Content {
    /// How many bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Cached { size, .. } => *size,
        }
    }

    /// A reader over all of them; it fails where the cache has others than those that were put there.
    pub fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Content::Bytes(bytes) => Box::new(Cursor::new(bytes)),
            Content::Cached { path, size, sha256 } => Box::new(Checked::open(path, *size, sha256)?),
        })
    }

    /// SHA-256 of its bytes, lowercase hex.
    pub fn sha256(&self) -> String {
        use sha2::{Digest, Sha256};
        match self {
            Content::Bytes(bytes) => hex::encode(Sha256::digest(bytes)),
            Content::Cached { sha256, .. } => sha256.clone(),
        }
    }
}

impl Tree {
    /// All paths in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The entry at `path`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Puts a file, link or folder at `path`, with the folders above it. Two components cannot have the same file.
    pub fn insert(&mut self, path: &str, component: &str, node: Node) -> Result<(), CollectError> {
        check_path(path, component)?;
        self.insert_parents(path, component)?;
        let entry = Entry { component: component.into(), node };
        match self.entries.get(path) {
            Some(Entry { node: Node::Folder { .. }, .. }) if matches!(entry.node, Node::Folder { .. }) => {}
            Some(other) => {
                return Err(CollectError::Twice {
                    path: path.into(),
                    first: other.component.clone(),
                    second: component.into(),
                });
            }
            None => {}
        }
        self.entries.insert(path.into(), entry);
        Ok(())
    }

    /// Puts a file that the builder rendered.
    pub fn insert_rendered(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<(), CollectError> {
        let node = Node::File { mode: 0o644, content: Content::Bytes(bytes.into()) };
        self.insert(path, IMAGE, node)
    }

    fn insert_parents(&mut self, path: &str, component: &str) -> Result<(), CollectError> {
        for (at, _) in path.match_indices('/').skip(1) {
            let parent = &path[..at];
            match self.entries.get(parent) {
                Some(Entry { node: Node::Folder { .. }, .. }) => {}
                Some(other) => {
                    return Err(CollectError::NotAFolder {
                        path: path.into(),
                        parent: parent.into(),
                        component: component.into(),
                        owner: other.component.clone(),
                    });
                }
                None => {
                    let node = Node::Folder { mode: 0o755 };
                    self.entries.insert(parent.into(), Entry { component: IMAGE.into(), node });
                }
            }
        }
        Ok(())
    }
}

/// A path of the root is absolute, without empty parts, `.` and `..`, and without control characters.
fn check_path(path: &str, component: &str) -> Result<(), CollectError> {
    let whole = path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= 255)
    });
    if whole && !path.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(CollectError::Path { path: path.into(), component: component.into() })
    }
}
