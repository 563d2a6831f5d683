//! Versions, in the order of their ecosystem.

mod debian;
mod semantic;

use std::cmp::Ordering;

pub use semantic::go_release;

/// No version of anything is longer.
const MAX_LENGTH: usize = 512;

/// How an ecosystem's versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Semantic Versioning 2.0; with Go's `v` before it or without, and missing numbers being 0.
    Semantic,
    /// Debian's (policy §5.6.12).
    Debian,
}

impl Order {
    /// The order of an ecosystem, by its name in OSV (`Debian:13`: what follows the colon is its release).
    pub fn of(ecosystem: &str) -> Option<Order> {
        match ecosystem.split(':').next().unwrap_or_default() {
            "Go" | "crates.io" | "Rust" | "Linux" => Some(Order::Semantic),
            "Debian" => Some(Order::Debian),
            _ => None,
        }
    }

    /// A version in this order; `None` where the text is none.
    pub fn version(self, text: &str) -> Option<Version> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        match self {
            Order::Semantic => semantic::parse(text).map(Version::Semantic),
            Order::Debian => debian::Version::parse(text).map(Version::Debian),
        }
    }
}

/// A version. Two of one order can be compared.
#[derive(Debug, Clone)]
pub enum Version {
    /// Of [`Order::Semantic`].
    Semantic(semver::Version),
    /// Of [`Order::Debian`].
    Debian(debian::Version),
}

impl Version {
    /// Which is the older one; `None` for versions of two orders.
    pub fn compare(&self, other: &Version) -> Option<Ordering> {
        match (self, other) {
            // Build metadata does not count (Semantic Versioning §10): the crate's own `Ord` lets it.
            (Version::Semantic(a), Version::Semantic(b)) => Some(a.cmp_precedence(b)),
            (Version::Debian(a), Version::Debian(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}
