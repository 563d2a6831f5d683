//! The tree as a sorted tar, which is what `mkfs.erofs --tar=f` takes: every mode and owner stands in it, and
//! no folder of the host is ever walked.

use std::io::{self, Write};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::{Entry, Node, Tree};

/// SHA-256 over every path, kind, mode, target and content of the tree and the epoch: the key of its image.
pub fn digest(tree: &Tree, epoch: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("orlop-tree-v1 {epoch}\n"));
    for (path, Entry { node, .. }) in tree.iter() {
        let line = match node {
            Node::Folder { mode } => format!("d {mode:o} {path}\n"),
            Node::File { mode, content } => format!("f {mode:o} {} {path}\n", content.sha256()),
            Node::Link { target } => format!("l {target} {path}\n"),
        };
        hash.update(line);
    }
    hex::encode(hash.finalize())
}

/// Writes the tree as a GNU tar, sorted, owner 0:0, every time `epoch`.
pub fn write(tree: &Tree, epoch: u64, output: impl Write) -> io::Result<()> {
    let mut builder = Builder::new(output);
    let mut root = header(EntryType::Directory, 0o755, 0, epoch);
    builder.append_data(&mut root, "./", io::empty())?;
    for (path, entry) in tree.iter() {
        let name = format!(".{path}");
        match &entry.node {
            Node::Folder { mode } => {
                let mut header = header(EntryType::Directory, *mode, 0, epoch);
                builder.append_data(&mut header, format!("{name}/"), io::empty())?;
            }
            Node::File { mode, content } => {
                let mut header = header(EntryType::Regular, *mode, content.size(), epoch);
                builder.append_data(&mut header, name, content.open()?)?;
            }
            Node::Link { target } => {
                let mut header = header(EntryType::Symlink, 0o777, 0, epoch);
                builder.append_link(&mut header, name, target)?;
            }
        }
    }
    builder.into_inner()?.flush()
}

fn header(kind: EntryType, mode: u32, size: u64, epoch: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(epoch);
    header.set_uid(0);
    header.set_gid(0);
    header
}
