//! What is known to be wrong with which versions of what: advisories from files, and which of them concern a list of
//! packages. No socket is opened; a database is a folder or a zip archive that somebody fetched.
//!
//! Read are OSV documents (schema 1, up to 1.7: <https://ossf.github.io/osv-schema/>) and RustSec's Markdown with a TOML
//! block in front (<https://github.com/RustSec/advisory-db>).
//!
//! [`Database::load`] reads files, [`Database::new`] takes what was read; from there on all is computed: [`findings`]
//! names the advisories that concern a package, [`group`] puts those together that are one flaw by several names.
//!
//! **What cannot be judged is never left out.** A range of an unknown kind, a version that is none, a package without a
//! version: each gives a finding that is [`State::Undecided`] and says why. A document that cannot be read is an error of
//! the whole database.

mod advisory;
mod database;
mod error;
mod find;
mod group;
mod judge;
mod load;
mod order;
mod osv;
mod rustsec;
mod severity;
#[cfg(test)]
mod tests;
mod text;

pub use advisory::{Advisory, Affected, Event, Import, Platforms, Range, RangeKind};
pub use database::{Database, Source};
pub use error::AdvisoryError;
pub use find::{Finding, State, Subject, Symbol, Target, findings};
pub use group::{Group, group};
pub use judge::{Verdict, judge};
pub use load::Limits;
pub use order::{Order, Version, go_release};
pub use severity::{Rating, Severity};
