//! Why a Go program cannot be read.

/// What is wrong with which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct GoBinaryError {
    /// The file, as the caller names it.
    pub file: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not an ELF file for 64-bit little-endian machines, or one whose headers lead nowhere.
    #[error("not a 64-bit little-endian ELF file ({0})")]
    Elf(String),
    /// A program, but nothing of Go's is in it.
    #[error("not a Go program: it has neither `.go.buildinfo` nor `.gopclntab`")]
    NotGo,
    /// A Go program that does not say what it was built from.
    #[error(
        "a Go program without build information (`.go.buildinfo`): what it was built from is not known; build it with \
         Go 1.18 or newer in module mode, and strip nothing but symbols"
    )]
    NoBuildInfo,
    /// Go before 1.18 put pointers into its memory there.
    #[error(
        "offset {offset:#x}: the build information is of the kind that Go wrote before 1.18 (flags {flags:#04x}): build \
         the program with a newer Go"
    )]
    OldBuildInfo {
        /// Where the flags lie in the file.
        offset: u64,
        /// What they are.
        flags: u8,
    },
    /// Build information of no known shape.
    #[error("offset {offset:#x}: the build information is damaged: {reason}")]
    BuildInfo {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A line of the build information that cannot be.
    #[error("line {line} of the build information: {reason}: {value:?}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
        /// The line, shortened.
        value: String,
    },
    /// A Go program without a table of functions.
    #[error("a Go program without `.gopclntab`: which functions are linked is not known; strip nothing but symbols")]
    NoFunctions,
    /// A table of functions that is not of a known shape.
    #[error("offset {offset:#x}: the table of functions is damaged: {reason}")]
    Functions {
        /// Where in the file.
        offset: u64,
        /// What is wrong there, with the value.
        reason: String,
    },
    /// A table of functions of another version.
    #[error(
        "offset {offset:#x}: the table of functions begins with {magic:#010x}; known are 0xfffffff0 (Go 1.18) and \
         0xfffffff1 (Go 1.20 and newer)"
    )]
    Magic {
        /// Where in the file.
        offset: u64,
        /// Its first four bytes.
        magic: u32,
    },
}

impl Problem {
    /// This problem, of this file.
    pub(super) fn of(self, file: &str) -> GoBinaryError {
        GoBinaryError { file: file.to_owned(), problem: self }
    }
}
