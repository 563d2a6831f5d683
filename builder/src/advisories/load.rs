//! Reading databases: folders and zip archives, of OSV's documents and of RustSec's, by the names of the files.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use orlop_config::date;

use super::advisory::Advisory;
use super::database::{Database, Source, newest};
use super::error::AdvisoryError;
use super::{osv, rustsec};

/// How many bytes of an archive's members are unpacked before those are read. Each member is unpacked with some 40 KB of
/// memory that is free again afterwards; what is kept of a document would lie in that hole, and the next member need
/// another: 90 MB for the 4,291 documents about Go.
const BATCH: u64 = 1 << 20;

/// How much is read, so that no database fills the memory. Real ones are far below.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a document. The biggest of OSV's have about 1 MB (Debian's, with each version by its name).
    pub document: u64,
    /// Bytes of all documents of one path.
    pub total: u64,
    /// Files and folders, or members of an archive.
    pub entries: u64,
    /// How many times bigger than the archive its documents may be; the first [`Limits::free`] bytes are not counted.
    pub ratio: u64,
    /// See [`Limits::ratio`].
    pub free: u64,
    /// Folders within folders.
    pub depth: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { document: 8 << 20, total: 2 << 30, entries: 2_000_000, ratio: 100, free: 16 << 20, depth: 16 }
    }
}

impl Database {
    /// Reads folders and zip archives.
    ///
    /// Documents are files named `*.json` (OSV) and `RUSTSEC-*.md` or `CVE-*.md` (RustSec); others are passed over, and so
    /// are names that begin with a dot, and the indexes of Go's own database (`index/*.json`).
    pub fn load(paths: &[PathBuf]) -> Result<Database, AdvisoryError> {
        Database::load_within(paths, &Limits::default())
    }

    /// [`Database::load`] with other limits.
    pub fn load_within(paths: &[PathBuf], limits: &Limits) -> Result<Database, AdvisoryError> {
        let (mut advisories, mut sources) = (Vec::new(), Vec::new());
        for path in paths {
            let mut reader =
                Reader { top: shown(path), limits, advisories: Vec::new(), bytes: 0, entries: 0, written: None };
            if fs::metadata(path).map_err(|cause| io(path, cause))?.is_dir() {
                reader.folder(path, 0)?;
            } else {
                reader.archive(path)?;
            }
            if reader.advisories.is_empty() {
                return Err(AdvisoryError::Empty { path: reader.top });
            }
            let Reader { top, advisories: mut read, written, .. } = reader;
            let newest = newest(&read).or(written);
            sources.push(Source { path: top, documents: read.len(), newest });
            advisories.append(&mut read);
        }
        let mut database = Database::new(advisories);
        database.read_from(sources);
        Ok(database)
    }
}

/// What a document is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Osv,
    RustSec,
}

impl Kind {
    /// `folder` is the last part of the folder's name.
    fn of(folder: &str, name: &str) -> Option<Kind> {
        if name.ends_with(".json") {
            let index = folder == "index" && matches!(name, "db.json" | "modules.json" | "vulns.json");
            return (!index).then_some(Kind::Osv);
        }
        let rustsec = name.ends_with(".md") && (name.starts_with("RUSTSEC-") || name.starts_with("CVE-"));
        rustsec.then_some(Kind::RustSec)
    }
}

/// Reads one path.
struct Reader<'a> {
    top: String,
    limits: &'a Limits,
    advisories: Vec<Advisory>,
    bytes: u64,
    entries: u64,
    /// The newest day of a file or member.
    written: Option<String>,
}

impl Reader<'_> {
    fn folder(&mut self, folder: &Path, depth: u64) -> Result<(), AdvisoryError> {
        if depth > self.limits.depth {
            // A link may lead back.
            return Err(self.too_much(self.limits.depth, "folders within each other"));
        }
        let entries = fs::read_dir(folder).map_err(|cause| io(folder, cause))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|cause| io(folder, cause))?.path());
            self.count_entry()?;
        }
        paths.sort();
        for path in paths {
            // A name that is no text is none of ours.
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') {
                continue;
            }
            let kind = Kind::of(&folder.file_name().unwrap_or_default().to_string_lossy(), name);
            let metadata = fs::metadata(&path).map_err(|cause| io(&path, cause))?;
            if metadata.is_dir() {
                self.folder(&path, depth + 1)?;
            } else if let Some(kind) = kind.filter(|_| metadata.is_file()) {
                let file = File::open(&path).map_err(|cause| io(&path, cause))?;
                let bytes = self.read(file, &shown(&path))?;
                self.total(self.limits.total)?;
                let age = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                self.written = self.written.take().max(age.map(|age| date::text(date::civil(age.as_secs() / 86_400))));
                self.document(kind, &bytes, shown(&path))?;
            }
        }
        Ok(())
    }

    fn archive(&mut self, path: &Path) -> Result<(), AdvisoryError> {
        let file = File::open(path).map_err(|cause| io(path, cause))?;
        let size = file.metadata().map_err(|cause| io(path, cause))?.len();
        let most = self.limits.total.min(size.saturating_mul(self.limits.ratio).saturating_add(self.limits.free));
        let bad = |what: String, reason: zip::result::ZipError| AdvisoryError::Archive {
            path: what,
            reason: reason.to_string(),
        };
        let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| bad(shown(path), error))?;
        let (mut unread, mut read) = (Vec::new(), self.bytes);
        for index in 0..zip.len() {
            self.count_entry()?;
            let numbered = |index: usize| format!("{} (member {index})", shown(path));
            let member = zip.by_index(index).map_err(|error| bad(numbered(index), error))?;
            let name = member.name().map_err(|error| bad(numbered(index), error))?.into_owned();
            let mut parts = name.rsplit('/');
            let (last, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let hidden = name.split('/').any(|part| part.starts_with('.'));
            let Some(kind) = Kind::of(folder, last).filter(|_| member.is_file() && !hidden) else { continue };
            let source = format!("{}: {}", shown(path), crate::text::shown(&name));
            let day = member
                .last_modified()
                .map(|time| date::text((time.year().into(), time.month().into(), time.day().into())));
            self.written = self.written.take().max(day);
            let bytes = self.read(member, &source)?;
            self.total(most)?;
            unread.push((kind, bytes, source));
            if self.bytes - read >= BATCH {
                self.documents(&mut unread)?;
                read = self.bytes;
            }
        }
        self.documents(&mut unread)
    }

    fn documents(&mut self, unread: &mut Vec<(Kind, Vec<u8>, String)>) -> Result<(), AdvisoryError> {
        unread.drain(..).try_for_each(|(kind, bytes, source)| self.document(kind, &bytes, source))
    }

    /// A document's bytes, as many as one may have; what an archive says of its size counts for nothing.
    fn read(&mut self, from: impl Read, source: &str) -> Result<Vec<u8>, AdvisoryError> {
        let limit = self.limits.document;
        let mut bytes = Vec::new();
        let read = from.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|cause| AdvisoryError::Io { path: source.to_owned(), cause })?;
        if bytes.len() as u64 > limit {
            return Err(AdvisoryError::TooMuch { path: source.to_owned(), limit, what: "bytes in a document" });
        }
        self.bytes += bytes.len() as u64;
        Ok(bytes)
    }

    fn document(&mut self, kind: Kind, bytes: &[u8], source: String) -> Result<(), AdvisoryError> {
        let text = str::from_utf8(bytes).map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to()));
        let advisory = text.and_then(|text| match kind {
            Kind::Osv => osv::parse(text),
            Kind::RustSec => rustsec::parse(text, is_toolchain(&source)),
        });
        match advisory {
            Ok(advisory) => self.advisories.push(Advisory { source, ..advisory }),
            Err(reason) => return Err(AdvisoryError::Document { path: source, reason }),
        }
        Ok(())
    }

    fn count_entry(&mut self) -> Result<(), AdvisoryError> {
        self.entries += 1;
        if self.entries > self.limits.entries { Err(self.too_much(self.limits.entries, "files")) } else { Ok(()) }
    }

    fn total(&self, most: u64) -> Result<(), AdvisoryError> {
        if self.bytes > most { Err(self.too_much(most, "bytes in all documents")) } else { Ok(()) }
    }

    fn too_much(&self, limit: u64, what: &'static str) -> AdvisoryError {
        AdvisoryError::TooMuch { path: self.top.clone(), limit, what }
    }
}

/// RustSec keeps what is about Rust itself (`rust/std/…`) apart from crates, which may have the same names.
fn is_toolchain(source: &str) -> bool {
    let mut folders = source.rsplit(['/', ' ']).skip(2);
    folders.next() == Some("rust")
}

fn shown(path: &Path) -> String {
    crate::text::shown(&path.to_string_lossy())
}

fn io(path: &Path, cause: std::io::Error) -> AdvisoryError {
    AdvisoryError::Io { path: shown(path), cause }
}
