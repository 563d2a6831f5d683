//! An advisory, whatever format it came in.

use super::severity::{Rating, Severity};

/// One advisory.
///
/// Its names and versions hold no control characters (documents with such are refused), and its summary is one line
/// without them: they can be printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Advisory {
    /// Its name in its database: `GO-2024-2687`.
    pub id: String,
    /// Its names elsewhere: CVE, GHSA.
    pub aliases: Vec<String>,
    /// The flaws that it is about, where it is a distributor's and these are others' (a DSA and its CVEs).
    pub upstream: Vec<String>,
    /// When it was taken back (RFC 3339, or a date alone). A withdrawn one is nobody's finding.
    pub withdrawn: Option<String>,
    /// When it was first published (RFC 3339, or a date alone).
    pub published: Option<String>,
    /// When it was last changed (RFC 3339, or a date alone). Go's database has the year 1 everywhere.
    pub modified: Option<String>,
    /// What it is about, in a line.
    pub summary: String,
    /// Where to read on.
    pub url: Option<String>,
    /// How bad it is.
    pub rating: Rating,
    /// Not a flaw: `unmaintained`, `unsound`, `notice` (RustSec).
    pub informational: Option<String>,
    /// Which packages it is about.
    pub affected: Vec<Affected>,
    /// The file that it came from; of an archive, `ARCHIVE: MEMBER`.
    pub source: String,
}

/// A package that an advisory is about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Affected {
    /// `Go`, `Debian:13`, `crates.io`, `Linux`.
    pub ecosystem: String,
    /// The package's name there: of Go the module, of Debian the source package.
    pub name: String,
    /// Its package URL, where the document has one.
    pub purl: Option<String>,
    /// Versions, one by one.
    pub versions: Vec<String>,
    /// Ranges of versions.
    pub ranges: Vec<Range>,
    /// What of the package is affected; empty where the document does not say, which is all of it.
    pub imports: Vec<Import>,
    /// Where the fault shows; empty is everywhere.
    pub platforms: Platforms,
    /// How bad it is for this package, where the document says that for each.
    pub severity: Option<Severity>,
    /// The document has ranges that no version of this ecosystem can be compared with (`custom_ranges` of Go's database:
    /// versions of tags that are no module versions). What is found by the ranges beside them may be too much.
    pub other_scheme: bool,
}

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// How its versions are compared.
    pub kind: RangeKind,
    /// Where it begins and ends, in no order.
    pub events: Vec<Event>,
}

/// How the versions of a range are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeKind {
    /// By Semantic Versioning 2.0.
    Semver,
    /// By the ecosystem's own order.
    Ecosystem,
    /// Commits; without the repository's history nothing can be compared.
    Git,
    /// Of a later schema.
    Unknown(String),
}

/// Where a range begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Affected from here on; `0` is before all versions.
    Introduced(String),
    /// Not affected from here on.
    Fixed(String),
    /// Affected up to here.
    LastAffected(String),
    /// Nothing is said about versions from here on; `*` is after all versions.
    Limit(String),
}

/// A part of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// Of Go the package's path, of Rust the crate.
    pub path: String,
    /// Functions and methods (`Type.Method`); empty is all.
    pub symbols: Vec<String>,
    /// Where the fault shows; empty is everywhere.
    pub platforms: Platforms,
}

/// Operating systems and architectures, by their names in Go (`linux`, `amd64`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platforms {
    /// Operating systems; empty is all.
    pub systems: Vec<String>,
    /// Architectures; empty is all.
    pub architectures: Vec<String>,
}
