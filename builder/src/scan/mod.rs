//! What is known to be wrong with the packages of an image, and whether that fails.
//!
//! ```text
//! inventory, bill of materials ─▶ packages ──┐
//!                                            ├─▶ judge ─▶ exceptions ─▶ gates ─▶ Report ─▶ table, JSON, SARIF, CycloneDX
//! advisories ────────────────────────────────┘
//! ```
//!
//! [`packages`] makes a list of packages of an image's [inventory](crate::inventory), and of a document about it; [`scan`] is
//! pure, and takes such a list from wherever it came.
//! No socket is opened: a database of advisories is a folder or an archive that somebody fetched.
//!
//! **Silence is never "no findings".** A program that does not say what it is made of, an ecosystem that no database is
//! about, a version that is none: each is named as what cannot be judged. A flaw whose functions are not in the program
//! is told apart, and shown; so is one of a release of Linux that the distribution's changelog names as fixed.

mod age;
mod changes;
pub mod cyclonedx;
mod found;
mod gate;
mod judge;
mod next;
mod package;
pub mod packages;
mod patched;
mod report;
pub mod sarif;
mod table;
#[cfg(test)]
mod tests;
pub mod vex;

pub use age::{AgeError, Today, check_age};
pub use changes::{FindingChange, FindingChanges, Standing, changes, text as changes_text};
pub use found::{Exempt, Found, Outcome, Place};
pub use gate::{Failure, GatesFail, gate, verdict};
pub use package::{By, Identity, Inventory, Package, Patches, Unjudged};
pub use report::{Databases, Report, WrongDatabase, scan};
pub use table::table;
