//! The layers of an image laid over each other, as one plain layer: what an upper layer takes away is gone, a hard link
//! is a file of its own, every name stands once, in the order of the names. So the node can compare what it unpacked
//! with it, file by file (node/cri); and the same layers give the same bytes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::super::error::{At, Error};
use super::super::unpack;

/// Of all layers together, unpacked.
const LARGEST: u64 = 8 << 30;
/// As Linux follows at most.
const MOST_LINKS: usize = 40;
/// Before the name of what is taken away, and the name that takes away everything of a folder.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Before an extended attribute's name.
const XATTR: &str = "SCHILY.xattr.";

/// A layer's file.
pub struct Layer {
    /// Where it lies.
    pub file: PathBuf,
    /// Its SHA-256, lowercase hex.
    pub sha256: String,
}

/// Unpacks the layers (lowest first; `sha256:…` of each one's tar beside it) and writes one layer into `folder`.
pub fn flatten(what: &str, layers: &[PathBuf], diff_ids: &[String], folder: &Path) -> Result<Layer, Error> {
    let mut tars = Vec::new();
    let mut room = LARGEST;
    for (number, (layer, diff_id)) in layers.iter().zip(diff_ids).enumerate() {
        let path = folder.join(format!("layer-{number}.tar"));
        room -= plain(what, layer, diff_id, &path, room)?;
        tars.push(path);
    }
    let mut tree = Files::default();
    for (number, tar) in tars.iter().enumerate() {
        tree.lay(number, tar).map_err(|reason| Error::format(what, format!("layer {}: {reason}", number + 1)))?;
    }
    tree.write(&tars, &folder.join("layer.tar"))
}

/// Decompresses a layer; how many bytes it has.
fn plain(what: &str, layer: &Path, diff_id: &str, to: &Path, room: u64) -> Result<u64, Error> {
    let from = unpack::decompress(File::open(layer).at(layer.display())?, what)?;
    let mut file = BufWriter::new(File::create(to).at(to.display())?);
    let (mut hash, mut buffer, mut done) = (Sha256::new(), vec![0; 1 << 16], 0);
    let mut from = from.take(room + 1);
    loop {
        let count = from.read(&mut buffer).map_err(|error| Error::format(what, format!("{diff_id}: {error}")))?;
        if count == 0 {
            break;
        }
        done += count as u64;
        if done > room {
            return Err(Error::format(what, format!("unpacked, it has more than {LARGEST} bytes")));
        }
        hash.update(&buffer[..count]);
        file.write_all(&buffer[..count]).at(to.display())?;
    }
    file.flush().at(to.display())?;
    let got = format!("sha256:{}", hex::encode(hash.finalize()));
    if got == diff_id {
        return Ok(done);
    }
    Err(Error::format(what, format!("a layer unpacks to {got}, the image's configuration says {diff_id}")))
}

/// What is at a path.
#[derive(Debug, Clone)]
struct Entry {
    /// Which layer put it there.
    layer: usize,
    kind: EntryType,
    mode: u32,
    owner: (u64, u64),
    time: u64,
    /// Where a link points to.
    target: Vec<u8>,
    device: (u32, u32),
    /// Extended attributes, as the archive's own header names them.
    attributes: BTreeMap<String, Vec<u8>>,
    /// Where a file's bytes lie: layer, offset, length.
    content: (usize, u64, u64),
}

/// Path, without a slash at either end → what is there.
#[derive(Default)]
struct Files(BTreeMap<Vec<u8>, Entry>);

impl Files {
    /// Lays a layer over what is there.
    fn lay(&mut self, layer: usize, tar: &Path) -> Result<(), String> {
        let file = File::open(tar).map_err(|error| error.to_string())?;
        let mut archive = tar::Archive::new(file);
        for member in archive.entries_with_seek().map_err(|error| error.to_string())? {
            let mut member = member.map_err(|error| error.to_string())?;
            if member.header().entry_type() == EntryType::XGlobalHeader {
                continue;
            }
            let name = member.path_bytes().into_owned();
            let shown = String::from_utf8_lossy(&name).into_owned();
            let named = |reason: String| format!("`{shown}`: {reason}");
            let path = parts(&name).map_err(named)?;
            let Some((last, above)) = path.split_last() else { continue };
            if above.iter().any(|part| part.starts_with(WHITEOUT)) {
                return Err(named("it lies in what a layer takes away".into()));
            }
            let above = self.resolve(above).map_err(named)?;
            if *last == OPAQUE {
                self.remove_below(&above, layer);
            } else if let Some(gone) = last.strip_prefix(WHITEOUT) {
                self.remove(&join(&above, gone), layer);
            } else {
                let target = join(&above, last);
                let entry = self.entry(layer, &mut member).map_err(named)?;
                self.put(target, entry);
            }
        }
        Ok(())
    }

    fn entry<R: Read>(&self, layer: usize, member: &mut tar::Entry<'_, R>) -> Result<Entry, String> {
        let header = member.header();
        let kind = header.entry_type();
        let target = member.link_name_bytes().unwrap_or_default().into_owned();
        if kind == EntryType::Link {
            let shown = String::from_utf8_lossy(&target).into_owned();
            let path = parts(&target)?;
            let (last, above) = path.split_last().ok_or("a hard link to nothing")?;
            let linked = self.0.get(&join(&self.resolve(above)?, last));
            let linked = linked.filter(|entry| entry.kind != EntryType::Directory);
            return linked
                .cloned()
                .map(|entry| Entry { layer, ..entry })
                .ok_or(format!("a hard link to `{shown}`, which is no file"));
        }
        let known = kind.is_file() || kind.is_dir() || kind.is_symlink() || kind.is_fifo();
        let is_device = kind.is_block_special() || kind.is_character_special();
        if !known && !is_device {
            return Err(format!("its type {kind:?} is not one that an image is packed with"));
        }
        let text = |error: std::io::Error| error.to_string();
        let number = |number: std::io::Result<Option<u32>>| number.map(Option::unwrap_or_default).map_err(text);
        let device = match is_device {
            true => (number(header.device_major())?, number(header.device_minor())?),
            false => (0, 0),
        };
        let mut entry = Entry {
            layer,
            kind: if kind.is_file() { EntryType::Regular } else { kind },
            mode: header.mode().map_err(text)? & 0o7777,
            owner: (id(&header.as_old().uid, header.uid())?, id(&header.as_old().gid, header.gid())?),
            time: id(&header.as_old().mtime, header.mtime())?,
            target: if kind.is_symlink() { target } else { Vec::new() },
            device,
            attributes: BTreeMap::new(),
            content: (layer, member.raw_file_position(), if kind.is_file() { member.size() } else { 0 }),
        };
        for extension in member.pax_extensions().map_err(text)?.into_iter().flatten() {
            let extension = extension.map_err(text)?;
            if let Some(key) = extension.key().ok().filter(|key| key.starts_with(XATTR)) {
                entry.attributes.insert(key.to_owned(), extension.value_bytes().to_vec());
            }
        }
        Ok(entry)
    }

    /// The folder that a path leads to, through the links that are there; missing ones lead where they say.
    fn resolve(&self, path: &[&[u8]]) -> Result<Vec<u8>, String> {
        let mut open: Vec<Vec<u8>> = path.iter().rev().map(|part| part.to_vec()).collect();
        let mut at: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(part) = open.pop() {
            if part == b".." {
                at.truncate(at.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
                continue;
            }
            let next = join(&at, &part);
            match self.0.get(&next) {
                Some(entry) if entry.kind == EntryType::Symlink => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err("it lies behind a circle of symbolic links".into());
                    }
                    if entry.target.starts_with(b"/") {
                        at.clear();
                    }
                    let parts = entry.target.split(|byte| *byte == b'/');
                    open.extend(parts.filter(|part| !matches!(*part, b"" | b".")).rev().map(<[u8]>::to_vec));
                }
                Some(entry) if entry.kind != EntryType::Directory => return Err("it lies below a file".into()),
                _ => at = next,
            }
        }
        Ok(at)
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry) {
        if entry.kind != EntryType::Directory {
            self.remove(&path, usize::MAX);
        }
        self.0.insert(path, entry);
    }

    /// Takes away what layers below `layer` put at a path and below it.
    fn remove(&mut self, path: &[u8], layer: usize) {
        if self.0.get(path).is_some_and(|entry| entry.layer < layer) {
            self.0.remove(path);
        }
        self.remove_below(path, layer);
    }

    fn remove_below(&mut self, path: &[u8], layer: usize) {
        let prefix = if path.is_empty() { Vec::new() } else { join(path, b"") };
        let below = self.0.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let gone: Vec<_> = below.filter(|(_, entry)| entry.layer < layer).map(|(name, _)| name.clone()).collect();
        gone.iter().for_each(|name| drop(self.0.remove(name)));
    }

    fn write(&self, tars: &[PathBuf], to: &Path) -> Result<Layer, Error> {
        let mut sources = tars.iter().map(|tar| File::open(tar).at(tar.display())).collect::<Result<Vec<_>, _>>()?;
        let out = Hashing { file: BufWriter::new(File::create(to).at(to.display())?), hash: Sha256::new() };
        let mut builder = tar::Builder::new(out);
        for (path, entry) in &self.0 {
            let named = || format!("{}: {}", to.display(), String::from_utf8_lossy(path));
            append(&mut builder, path, entry, &mut sources).at(named())?;
        }
        let mut out = builder.into_inner().at(to.display())?;
        out.flush().at(to.display())?;
        Ok(Layer { file: to.into(), sha256: hex::encode(out.hash.finalize()) })
    }
}

fn append(
    builder: &mut tar::Builder<Hashing>,
    path: &[u8],
    entry: &Entry,
    sources: &mut [File],
) -> std::io::Result<()> {
    let attributes = entry.attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
    builder.append_pax_extensions(attributes)?;
    let mut header = Header::new_gnu();
    header.set_entry_type(entry.kind);
    header.set_mode(entry.mode);
    header.set_uid(entry.owner.0);
    header.set_gid(entry.owner.1);
    header.set_mtime(entry.time);
    header.set_device_major(entry.device.0)?;
    header.set_device_minor(entry.device.1)?;
    let (layer, offset, size) = entry.content;
    header.set_size(size);
    let name = Path::new(OsStr::from_bytes(path));
    if entry.kind == EntryType::Symlink {
        return builder.append_link(&mut header, name, Path::new(OsStr::from_bytes(&entry.target)));
    }
    let source = &mut sources[layer];
    source.seek(SeekFrom::Start(offset))?;
    builder.append_data(&mut header, name, source.take(size))
}

/// A file that is hashed as it is written.
struct Hashing {
    file: BufWriter<File>,
    hash: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A number that is not written is root's.
fn id(field: &[u8], read: std::io::Result<u64>) -> Result<u64, String> {
    let is_empty = field.iter().all(|byte| matches!(byte, 0 | b' '));
    if is_empty { Ok(0) } else { read.map_err(|error| error.to_string()) }
}

/// The parts of a member's name.
fn parts(name: &[u8]) -> Result<Vec<&[u8]>, String> {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&&b".."[..]) { Err("its name leads out of the image".into()) } else { Ok(parts) }
}

fn join(above: &[u8], part: &[u8]) -> Vec<u8> {
    if above.is_empty() { part.to_vec() } else { [above, part].join(&b'/') }
}

#[cfg(test)]
#[path = "flatten_tests.rs"]
mod tests;
