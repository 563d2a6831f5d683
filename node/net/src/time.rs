//! Time since the machine's start, sleep included: what leases and retries are counted in. The wall clock may jump.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Millis(seconds * 1000)
    }

    /// Whole seconds of it.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }
}

impl Add for Millis {
    type Output = Millis;

    fn add(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Millis;

    fn sub(self, other: Millis) -> Millis {
        Millis(self.0.saturating_sub(other.0))
    }
}

/// A moment, with a random number that was drawn for it: what a state machine needs beside its events.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// Time since the machine's start.
    pub now: Millis,
    /// Random.
    pub random: u32,
}

impl Tick {
    /// A time from now, 10 % sooner or later, so that a rack that was switched on at once does not ask at once.
    pub fn about(&self, wait: Millis) -> Millis {
        let tenth = wait.0 / 10;
        let jitter = if tenth == 0 { 0 } else { u64::from(self.random) % (2 * tenth) };
        self.now + Millis(wait.0 - tenth + jitter)
    }
}
