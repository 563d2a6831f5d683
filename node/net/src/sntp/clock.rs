//! The kernel's clock.

use super::message::SECOND;
use crate::sys;
use std::io;
use std::path::Path;

/// What may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Set and turned.
    Kept,
    /// Nothing: it is only compared.
    Compared,
}

impl Clock {
    /// What it shows, in nanoseconds since 1970.
    pub fn now() -> i64 {
        sys::clock::now()
    }

    /// Sets it forward to the earliest time that it can be, if it shows less; `true`: it showed less.
    pub fn not_before(self, earliest: i64) -> io::Result<bool> {
        if Self::now() / SECOND >= earliest {
            return Ok(false);
        }
        match self {
            Clock::Kept => sys::clock::set(earliest.saturating_mul(SECOND)).map(|()| true),
            Clock::Compared => Ok(true),
        }
    }

    /// Sets it: it is off by so many nanoseconds.
    pub fn step(self, by: i64) -> io::Result<()> {
        match self {
            Clock::Kept => sys::clock::set(Self::now().saturating_add(by)),
            Clock::Compared => Ok(()),
        }
    }

    /// Turns it; the next correction comes after so many seconds. The kernel writes a clock that is kept to the machine's
    /// own as well.
    pub fn slew(self, by: i64, seconds: u64) -> io::Result<()> {
        match self {
            Clock::Kept => sys::clock::slew(by, seconds),
            Clock::Compared => Ok(()),
        }
    }
}

/// The earliest time that it can be, in seconds since 1970: every file of the image bears the time of its build, so the
/// image's settings do.
pub fn earliest(settings: &Path) -> i64 {
    let modified = std::fs::metadata(settings).and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}
