//! Why a database of advisories cannot be used.

use std::io;

/// Why a database cannot be used. A database that is not whole is none: what is missing might be what matters.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    /// A file or folder that cannot be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// An archive that cannot be read.
    #[error("{path}: not a whole zip archive ({reason}); fetch it again")]
    Archive {
        /// Which, with its member.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A document that is no advisory.
    #[error("{path}: {reason}; fetch the database again, or leave this document out")]
    Document {
        /// The file; of an archive, with its member. Names are quoted where they could deceive.
        path: String,
        /// What is wrong, with line or value.
        reason: String,
    },
    /// More than any database has.
    #[error("{path}: more than {limit} {what}; no database of advisories is that big")]
    TooMuch {
        /// The file or archive.
        path: String,
        /// How much is taken.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// Nothing to read.
    #[error(
        "{path}: no advisory in it; name a folder or zip archive with OSV documents (`*.json`) or RustSec's (`RUSTSEC-*.md`)"
    )]
    Empty {
        /// Where none was found.
        path: String,
    },
}
