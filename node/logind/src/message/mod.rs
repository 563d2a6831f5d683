//! D-Bus messages as bytes (its specification, chapter "Message Protocol"): little endian, which this machine is, and of
//! the types no more than the messages at hand have.

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::{Body, Message, Size, size};
pub use write::{Answer, Value, error, reply, signal};

/// A longer message is none of kubelet's, whose longest has some 300 bytes.
pub const LARGEST: usize = 4096;
/// The part of a header that has always the same size: up to the length of its fields.
const FIXED: usize = 16;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It wants an answer.
    Call,
    /// The answer.
    Reply,
    /// The answer that something went wrong.
    Error,
    /// It is told to whoever listens.
    Signal,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Call, Kind::Reply, Kind::Error, Kind::Signal];

    fn code(self) -> u8 {
        match self {
            Kind::Call => 1,
            Kind::Reply => 2,
            Kind::Error => 3,
            Kind::Signal => 4,
        }
    }
}

/// The fields of a header.
mod field {
    pub const PATH: u8 = 1;
    pub const INTERFACE: u8 = 2;
    pub const MEMBER: u8 = 3;
    pub const ERROR_NAME: u8 = 4;
    pub const REPLY_SERIAL: u8 = 5;
    pub const SENDER: u8 = 7;
    pub const SIGNATURE: u8 = 8;
    pub const UNIX_FDS: u8 = 9;
}

/// Of a message's flags: no answer is wanted.
const NO_REPLY: u8 = 1;
