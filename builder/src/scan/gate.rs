//! What of a report fails.

use orlop_config::definition::{GateSeverity, Gates};
use serde::Serialize;

use super::found::{Found, Outcome, Place};
use super::report::Report;
use crate::advisories::Severity;
use crate::text::shown;

/// How many failures an error names.
const NAMED: usize = 3;

/// One thing that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// The gates of a scan fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gates fail on {count}: {named}")]
pub struct GatesFail {
    count: usize,
    named: String,
}

/// Adds what the gates fail to the failures of a report. Exceptions stand in it already.
pub fn gate(report: &mut Report, gates: &Gates) {
    let mut failures = Vec::new();
    for found in &mut report.findings {
        finding(found, gates, &mut failures);
    }
    if gates.unjudged {
        failures.extend(report.unjudged.iter().map(|unjudged| Failure {
            what: format!("{} cannot be judged: {}", unjudged.what, unjudged.reason),
            next: "mend that, or let the gates pass it (`gates.unjudged = false`)".into(),
        }));
    }
    report.failures.append(&mut failures);
}

/// An error where anything fails.
pub fn verdict(report: &Report) -> Result<(), GatesFail> {
    let count = report.failures.len();
    if count == 0 {
        return Ok(());
    }
    let mut named: String =
        report.failures.iter().take(NAMED).map(|failure| shown(&failure.what)).collect::<Vec<_>>().join("; ");
    if count > NAMED {
        named.push_str(&format!("; and {} more, which the report names", count - NAMED));
    }
    Err(GatesFail { count, named })
}

/// Whether what a flaw is at a place is anything that these gates fail, if it is severe: that is what exceptions are for.
pub(super) fn may_fail(place: &Place, gates: &Gates) -> bool {
    place.outcome.counts() || (gates.not_linked && place.outcome == Outcome::NotLinked)
}

/// One failure for each place of a finding.
fn finding(found: &mut Found, gates: &Gates, failures: &mut Vec<Failure>) {
    let severe = gates.severities.iter().any(|severity| of(*severity) == found.severity)
        || (found.severity == Severity::Unknown && !gates.severities.is_empty());
    // Of what is undecided nobody knows whether a newer version ends it.
    let fixable = !gates.fixable_only || !found.fixed.is_empty() || found.outcome == Outcome::Undecided;
    if !found.is_flaw() || !severe || !fixable {
        return;
    }
    let Found { id, package, severity, places, .. } = found;
    for place in places {
        if !may_fail(place, gates) || place.exception.is_some() {
            continue;
        }
        place.fails = true;
        let version = package.version.as_deref().unwrap_or("(unknown)");
        let at = if place.path.is_empty() { &place.by.component } else { &place.path };
        let (outcome, severity) = (place.outcome.word(), severity.word());
        let what = format!("{id} in {} {version} of {at} ({outcome}, severity {severity})", package.name);
        failures.push(Failure { what, next: place.next.clone() });
    }
}

fn of(severity: GateSeverity) -> Severity {
    match severity {
        GateSeverity::Low => Severity::Low,
        GateSeverity::Medium => Severity::Medium,
        GateSeverity::High => Severity::High,
        GateSeverity::Critical => Severity::Critical,
    }
}
