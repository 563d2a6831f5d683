//! What of a scan fails: `[gates]`.

use serde::{Deserialize, Serialize};

/// Which findings of a scan fail it (`orlop scan`, `orlop build --gate`), and which exceptions there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// The severities that fail. What nobody rated fails as soon as any severity does: it may be as bad. None at all: no
    /// finding fails.
    pub severities: Vec<GateSeverity>,
    /// Only what a newer version ends fails.
    pub fixable_only: bool,
    /// A flaw whose functions are not in the program fails too.
    pub not_linked: bool,
    /// What cannot be judged fails.
    pub unjudged: bool,
    /// How many days old a database may be at most.
    pub max_database_age_days: u32,
    /// OpenVEX documents, beside the definition that lists them.
    pub exceptions: Vec<String>,
}

/// A severity that a gate can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GateSeverity {
    /// CVSS up to 3.9.
    Low,
    /// Up to 6.9.
    Medium,
    /// Up to 8.9.
    High,
    /// From 9.0 on.
    Critical,
}

impl Default for Gates {
    fn default() -> Self {
        Gates {
            severities: vec![GateSeverity::Critical, GateSeverity::High],
            fixable_only: false,
            not_linked: false,
            unjudged: false,
            max_database_age_days: 30,
            exceptions: Vec::new(),
        }
    }
}

impl Gates {
    /// Whether these are those of a definition that says nothing.
    pub(super) fn is_default(&self) -> bool {
        *self == Gates::default()
    }
}

impl GateSeverity {
    /// As the definition writes it.
    pub fn word(self) -> &'static str {
        match self {
            GateSeverity::Low => "low",
            GateSeverity::Medium => "medium",
            GateSeverity::High => "high",
            GateSeverity::Critical => "critical",
        }
    }
}
