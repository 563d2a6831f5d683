//! Exceptions: OpenVEX documents (<https://github.com/openvex/spec>, 0.2.0) that say why a finding does no harm, or who
//! looks after it, and until when.
//!
//! OpenVEX has no field for an end, and its schema allows no field of one's own. So `status_notes` begins with it:
//! `expires 2027-01-31: why`. A statement without one is an error: an exception that nobody looks at again is none.
//!
//! [`read`] takes documents apart, [`apply`] lays them over a report. An exception that has expired, that is about nothing
//! that the gates could fail, or that the program itself contradicts, fails; it never hides a finding. A repository has one
//! document for several images: a statement about something that an image does not have is passed over there, and shown.

mod apply;
mod read;

use serde::{Deserialize, Serialize};

pub use apply::apply;
pub use read::{VexError, parse, read};

use super::age::Today;
use super::package::Identity;

/// A statement of an OpenVEX document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The document's file.
    pub document: String,
    /// Which of its statements, counted from 1.
    pub number: usize,
    /// The flaw, by each of its names.
    pub names: Vec<String>,
    /// What it is about; never empty.
    pub products: Vec<Product>,
    /// What it decides.
    pub status: Status,
    /// Why there is no harm; always there where the status is [`Status::NotAffected`].
    pub justification: Option<Justification>,
    /// The last day on which it holds.
    pub expires: Today,
    /// What it says beside that.
    pub notes: String,
}

/// What a statement is about: a package, or packages in an image or in a component of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The package; or, `generic` by its ecosystem, the image or the component. Without a version: in all of them.
    pub identity: Identity,
    /// The packages in it; empty is all.
    pub subcomponents: Vec<Identity>,
}

/// A statement that is about nothing in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Which.
    pub what: String,
    /// What of it is not there.
    pub reason: String,
}

/// What a statement decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The flaw does no harm here.
    NotAffected,
    /// It does, and what is done about that is said.
    Affected,
    /// It was mended, though the version does not tell.
    Fixed,
    /// Somebody looks at it.
    UnderInvestigation,
}

/// Why a flaw does no harm: the standard's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Justification {
    /// The package is not there.
    ComponentNotPresent,
    /// The package is there, without the faulty code.
    VulnerableCodeNotPresent,
    /// The faulty code is never run.
    VulnerableCodeNotInExecutePath,
    /// Nobody can make it do harm.
    VulnerableCodeCannotBeControlledByAdversary,
    /// Something else stops the harm.
    InlineMitigationsAlreadyExist,
}

impl Status {
    /// As OpenVEX writes it.
    pub fn word(self) -> &'static str {
        match self {
            Status::NotAffected => "not_affected",
            Status::Affected => "affected",
            Status::Fixed => "fixed",
            Status::UnderInvestigation => "under_investigation",
        }
    }
}

impl Justification {
    /// As OpenVEX writes it.
    pub fn word(self) -> &'static str {
        match self {
            Justification::ComponentNotPresent => "component_not_present",
            Justification::VulnerableCodeNotPresent => "vulnerable_code_not_present",
            Justification::VulnerableCodeNotInExecutePath => "vulnerable_code_not_in_execute_path",
            Justification::VulnerableCodeCannotBeControlledByAdversary => {
                "vulnerable_code_cannot_be_controlled_by_adversary"
            }
            Justification::InlineMitigationsAlreadyExist => "inline_mitigations_already_exist",
        }
    }
}
