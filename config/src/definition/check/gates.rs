//! What fails a scan.

use super::super::Definition;
use super::Report;

/// Ten years: what is above is a slip of the hand.
const MOST_DAYS: u32 = 3650;

pub(super) fn check(definition: &Definition, report: &mut Report) {
    let gates = &definition.gates;
    for (index, severity) in gates.severities.iter().enumerate() {
        let message = format!("`{}` stands there twice", severity.word());
        report.expect(!gates.severities[..index].contains(severity), &["gates", "severities"], message, "name it once");
    }
    let days = gates.max_database_age_days;
    let message = format!("a database of {days} days is none that anybody looks after");
    let next = format!("it takes 0 to {MOST_DAYS} days");
    report.expect(days <= MOST_DAYS, &["gates", "max_database_age_days"], message, &next);
    for (index, path) in gates.exceptions.iter().enumerate() {
        let message = format!("`{path}` stands there twice");
        report.expect(!gates.exceptions[..index].contains(path), &["gates", "exceptions"], message, "name it once");
    }
}
