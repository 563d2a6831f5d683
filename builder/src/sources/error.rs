//! What can go wrong with an input. Each says which input, what was found, and the next step.

use std::fmt::Display;
use std::io;

/// A locked package that the archive does not have any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The input's name in the lockfile.
    pub input: String,
    /// What was locked: package and version.
    pub locked: String,
    /// The version that the signed index names now, where one could be found out.
    pub replacement: Option<String>,
}

impl Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.replacement {
            Some(now) => write!(f, "input `{}`: {} was replaced by {now}", self.input, self.locked),
            None => write!(f, "input `{}`: {} is gone", self.input, self.locked),
        }
    }
}

/// Why an input could not be locked, fetched or built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder. What the system said stands in the message: as a source of its own it would be said twice.
    #[error("{what}: {cause}{}", room(cause))]
    Io {
        /// What was tried, with its path.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Content that is not what was locked. Nothing of it was kept.
    #[error(
        "input `{input}`: expected SHA-256 {expected}, got {got}, from {from}; nothing was kept. If the file was replaced on purpose, {next}"
    )]
    WrongHash {
        /// The input.
        input: String,
        /// The locked digest.
        expected: String,
        /// The digest that arrived.
        got: String,
        /// Where it came from.
        from: String,
        /// How another file is accepted: [`relock`] says it for what `orlop lock` finds out.
        next: String,
    },
    /// A file in the cache changed since it was put there.
    #[error("{path} in the cache is damaged (its SHA-256 is {got}); it was removed")]
    Corrupt {
        /// The blob.
        path: String,
        /// Its digest now.
        got: String,
    },
    /// Locked packages that the archive does not have any more.
    #[error("the archive dropped what was locked: {}; `orlop build DEFINITION --key FILE --relock-gone` takes what replaced it", list(.0))]
    Gone(Vec<Gone>),
    /// The input is not in the cache, and no socket may be opened.
    #[error(
        "input `{input}` is not in the cache, and --offline opens no connection; run `orlop lock --fetch DEFINITION` while there is a network"
    )]
    Offline {
        /// The input.
        input: String,
    },
    /// The file is not there (404, 410).
    #[error(
        "{url}: not there (HTTP status {status}); if the definition names this address, correct it there; if it is the Debian archive's, name another mirror with ORLOP_DEBIAN_MIRROR"
    )]
    NotFound {
        /// Where it was looked for.
        url: String,
        /// What the server said.
        status: u16,
    },
    /// A transfer failed after all attempts.
    #[error("{url}: {reason}; {NO_NETWORK}")]
    Network {
        /// From where.
        url: String,
        /// What happened at the last attempt.
        reason: String,
    },
    /// An index that is not signed as it must be.
    #[error("{what}: {reason}; nothing of it is used")]
    Signature {
        /// Which index.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tool that could not be started or that failed.
    #[error("{program}: {reason}")]
    Tool {
        /// The program and what it was asked to do.
        program: String,
        /// Its status and the end of what it wrote, or why it could not be started.
        reason: String,
    },
    /// The lockfile does not hold what the definition asks for.
    #[error("{0}; run `orlop lock DEFINITION`")]
    Lock(String),
    /// Input text or bytes that cannot be understood.
    #[error("{what}: {reason}")]
    Format {
        /// Which file, with line or offset.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that the definition names is not to be had.
    #[error("{path} ({what}): {reason}; correct the definition, or put the file there")]
    Named {
        /// The file.
        path: String,
        /// What names it.
        what: String,
        /// What the system said.
        reason: io::Error,
    },
    /// What the definition asks for does not exist.
    #[error("{0}")]
    Unresolved(String),
    /// What the command line asks for cannot be.
    #[error("{0}")]
    Usage(String),
}

/// What to do when nothing answers.
pub(crate) const NO_NETWORK: &str = "is there a network? A proxy is named by http_proxy and https_proxy, another Debian \
    mirror by ORLOP_DEBIAN_MIRROR; `orlop lock --fetch DEFINITION` fills the cache while there is one";

/// The next step where another file than the locked one arrived, and `orlop lock` would lock that one.
pub(crate) fn relock(input: &str) -> String {
    format!("run `orlop lock DEFINITION --update {input}` and read the difference")
}

fn list(gone: &[Gone]) -> String {
    gone.iter().map(Gone::to_string).collect::<Vec<_>>().join("; ")
}

/// All that is written here goes into the cache.
fn room(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, or name a folder elsewhere with ORLOP_CACHE"
        }
        _ => "",
    }
}

impl Error {
    /// A [`Error::Format`].
    pub fn format(what: impl Display, reason: impl Display) -> Error {
        Error::Format { what: what.to_string(), reason: reason.to_string() }
    }
}

/// Says what was tried when a file operation fails.
pub(crate) trait At<T> {
    fn at(self, what: impl Display) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, what: impl Display) -> Result<T, Error> {
        self.map_err(|cause| Error::Io { what: what.to_string(), cause })
    }
}
