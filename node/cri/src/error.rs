//! What can go wrong, each in one line.

use std::io;
use std::path::PathBuf;

/// The verbs' result.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong; every message is one line and names what it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens on the socket, or what answers is not HTTP/2.
    #[error("containerd cannot be reached at {}: {reason}", .socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the attempt gave.
        reason: String,
    },
    /// containerd said no.
    #[error("containerd: {what}: {}", one_line(.status))]
    Call {
        /// What was asked.
        what: String,
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// containerd did not answer in the time there was.
    #[error("containerd: {what}: no answer in time")]
    Silent {
        /// What was asked.
        what: &'static str,
    },
    /// The archive cannot be read.
    #[error("archive {}: {source}", .path.display())]
    Read {
        /// The archive.
        path: PathBuf,
        /// What reading gave.
        source: io::Error,
    },
    /// The archive is not what it should be.
    #[error("archive {}: {reason}", .path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The image that was made is not the archive's.
    #[error("image {reference} was made anew and still differs: {what}")]
    Differs {
        /// The image.
        reference: String,
        /// What differs.
        what: String,
    },
    /// An import failed, and there is no image of that name any more.
    #[error("{source}; there is no image {reference} now")]
    Forgotten {
        /// The image.
        reference: String,
        /// Why it failed.
        source: Box<Error>,
    },
    /// An import failed, and what an earlier boot left under that name may still be there.
    #[error("{source}; image {reference} may be an altered one and cannot be removed: {removal}")]
    Left {
        /// The image.
        reference: String,
        /// Why the import failed.
        source: Box<Error>,
        /// Why the removal failed.
        removal: Box<Error>,
    },
    /// CRI was told to forget an image and did not.
    #[error("containerd: CRI still knows image {reference}")]
    Known {
        /// The image.
        reference: String,
    },
    /// A file of the state partition cannot be removed.
    #[error("{}: {source}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What removing it gave.
        source: io::Error,
    },
    /// Some containers or pods were not stopped; each has a line of its own before this one.
    #[error("{failed} of {all} could not be stopped; the lines above name them")]
    NotStopped {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
    /// The node's name is not known.
    #[error("the host's name cannot be read: {0}")]
    HostName(io::Error),
    /// The program's own runtime did not start.
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
}

/// Exit status of `import` for: it failed, and there is no image of that name now. A boot may go on without it, and only
/// then.
const FORGOTTEN: u8 = 3;
/// Exit status of `stop-all` for: all were asked to stop, and some did not. Asking again would not help.
const PARTLY: u8 = 3;

impl Error {
    /// What the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Forgotten { .. } => FORGOTTEN,
            Self::NotStopped { .. } => PARTLY,
            _ => 1,
        }
    }

    /// The error of one call, for `map_err`.
    pub(crate) fn call(what: impl Into<String>) -> impl FnOnce(tonic::Status) -> Self {
        let what = what.into();
        move |status| Self::Call { what, status: Box::new(status) }
    }
}

/// A status in one line: the caller reads lines.
fn one_line(status: &tonic::Status) -> String {
    format!("{:?}: {}", status.code(), status.message()).replace('\n', " ")
}
