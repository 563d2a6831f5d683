//! The kernel's clock.

use super::message::SECOND;
use crate::sys;
use crate::time::Millis;
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

    /// It goes on from where [`Clock::not_before`] set it, and nobody has set it right since: by what it shows, the machine
    /// started before the earliest time that it can be. This outlives the program, which may end before it has the time.
    pub fn is_lost(earliest: i64) -> bool {
        started(Self::now(), sys::now()) < earliest.saturating_mul(SECOND)
    }

    /// Sets it: it is off by so many nanoseconds. First of all the kernel forgets its corrections, so that no end of the
    /// program comes between a clock that was set and those.
    pub fn step(self, by: i64) -> io::Result<()> {
        match self {
            Clock::Kept => {
                sys::clock::forget()?;
                sys::clock::set(Self::now().saturating_add(by))
            }
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

/// When the machine started, in nanoseconds since 1970, by a clock that shows this so long after it.
fn started(clock: i64, after: Millis) -> i64 {
    clock.saturating_sub(i64::try_from(after.0).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// The earliest time that it can be, in seconds since 1970: every file of the image bears the time of its build, so the
/// image's settings do.
pub fn earliest(settings: &Path) -> i64 {
    let modified = std::fs::metadata(settings).and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_only_set_to_the_build_shows_a_start_before_it() {
        let built = 1_795_000_000;
        let is_lost = |clock: i64, after: u64| started(clock * SECOND, Millis::seconds(after)) < built * SECOND;
        // A machine whose own clock showed 2020: set to the build's time 5 s after its start, seen by the program's next run.
        assert!(is_lost(built, 5) && is_lost(built + 55, 60) && is_lost(built + 86_395, 86_400));
        // A server has said what time it is.
        assert!(!is_lost(built + 500_060, 60));
        // A clock that was right all along, of a machine that booted the image a moment after it was built.
        assert!(!is_lost(built + 5, 5) && !is_lost(built + 86_402, 86_400));
        assert!(started(i64::MIN, Millis(u64::MAX)) < 0);
    }
}
