//! What ends the program; everything else is a line and another try.

use std::io;
use std::path::PathBuf;

/// The program's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What ends the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A socket, or another thing of the kernel, is not to be had.
    #[error("{what}: {source}")]
    Kernel {
        /// What.
        what: &'static str,
        /// What it gave.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it gave.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// For `map_err`.
    pub fn kernel<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Kernel { what, source: source.into() }
    }

    /// For `map_err`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
