//! What was found, as all outputs show it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::package::{By, Identity};
use super::vex::{Justification, Status};
use crate::advisories::{Severity, State};

/// A flaw of a package, and where that package is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The name that it is called by here: that of the first document about it.
    pub id: String,
    /// All its names, `id` too.
    pub names: BTreeSet<String>,
    /// Which package.
    pub package: Identity,
    /// The worst of its places.
    pub outcome: Outcome,
    /// How bad it is.
    pub severity: Severity,
    /// The CVSS base score, where a vector said that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// CVSS vectors, as the documents have them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vectors: Vec<String>,
    /// Not a flaw: `unmaintained`, `unsound`, `notice`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub informational: Option<String>,
    /// What it is about, in a line.
    pub summary: String,
    /// Where to read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The versions that end it; empty where none is known.
    pub fixed: Vec<String>,
    /// The advisory has ranges that cannot be compared with this version: the package may be fine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub other_scheme: bool,
    /// Where the package is, and what the flaw is there.
    pub places: Vec<Place>,
}

/// A package in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file in the image.
    pub path: String,
    /// The component that brought it.
    #[serde(flatten)]
    pub by: By,
    /// What the flaw is here.
    pub outcome: Outcome,
    /// The functions that the advisory names and that are in this file: `net/http.Client.Do`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// Why it cannot be said, or what says that it is mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    pub next: String,
    /// Whether the gates fail it.
    pub fails: bool,
    /// The exception that holds here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<Exempt>,
}

/// What an OpenVEX statement says of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exempt {
    /// The document's file.
    pub document: String,
    /// Which of its statements, counted from 1.
    pub statement: usize,
    /// What it decides.
    pub status: Status,
    /// Why there is no harm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<Justification>,
    /// The last day on which it holds.
    pub expires: String,
    /// What it says beside that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// How a package is concerned, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The release is affected, and the distribution's changelog names the flaw as fixed by a patch of its own.
    Patched,
    /// The fault shows on other systems or architectures only.
    OtherPlatform,
    /// The module is affected, and none of the functions that the advisory names is in the program.
    NotLinked,
    /// It cannot be said.
    Undecided,
    /// The package is affected; of its functions nothing is known.
    Affected,
    /// The package is affected, and the faulty functions are in the program.
    Linked,
}

impl Outcome {
    /// As they are counted, the worst first.
    pub const ALL: [Outcome; 6] = [
        Outcome::Linked,
        Outcome::Affected,
        Outcome::Undecided,
        Outcome::NotLinked,
        Outcome::OtherPlatform,
        Outcome::Patched,
    ];

    /// As lists show it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Patched => "patched",
            Outcome::OtherPlatform => "other-platform",
            Outcome::NotLinked => "not-linked",
            Outcome::Undecided => "undecided",
            Outcome::Affected => "affected",
            Outcome::Linked => "linked",
        }
    }

    /// Whether the fault may be in this image: it is, or nobody can say.
    pub fn counts(self) -> bool {
        self >= Outcome::Undecided
    }
}

impl From<&State> for Outcome {
    fn from(state: &State) -> Outcome {
        match state {
            State::OtherPlatform => Outcome::OtherPlatform,
            State::NotLinked => Outcome::NotLinked,
            State::Undecided(_) => Outcome::Undecided,
            State::Affected => Outcome::Affected,
            State::Linked(_) => Outcome::Linked,
        }
    }
}

impl Found {
    /// Whether this is a flaw: what RustSec calls `unmaintained` or `notice` is none.
    pub fn is_flaw(&self) -> bool {
        !matches!(self.informational.as_deref(), Some("unmaintained" | "notice"))
    }
}
