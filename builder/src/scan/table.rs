//! A report for people.

use std::fmt::Write;

use super::found::{Exempt, Found, Outcome, Place};
use super::report::Report;
use super::vex::PassedOver;
use crate::text::{count, shown};

/// Functions of a place that are named; of more, how many there are.
const FUNCTIONS: usize = 3;

/// The report as text: a row for each finding, with what it is and what to do below it, then what cannot be judged.
pub fn table(report: &Report) -> String {
    let mut text = format!(
        "{} {}: {}, judged by {} advisories{}\n",
        shown(&report.image),
        shown(&report.image_version),
        count(report.packages, "package", "packages"),
        report.databases.advisories,
        newest(report)
    );
    if !report.findings.is_empty() {
        text.push('\n');
        let rows: Vec<Row> = report.findings.iter().map(row).collect();
        let widths = widths(&rows);
        line(&mut text, &TITLES.map(str::to_owned), &widths);
        for (row, found) in rows.iter().zip(&report.findings) {
            line(&mut text, row, &widths);
            details(&mut text, found);
        }
    }
    if !report.unjudged.is_empty() {
        text.push_str("\ncannot be judged\n");
        for unjudged in &report.unjudged {
            let of = if unjudged.component.is_empty() {
                String::new()
            } else {
                format!(" ({})", shown(&unjudged.component))
            };
            let _ = writeln!(text, "  {}{of}: {}", shown(&unjudged.what), shown(&unjudged.reason));
        }
    }
    if !report.passed_over.is_empty() {
        text.push_str("\npassed over\n");
        for PassedOver { what, reason } in &report.passed_over {
            let _ = writeln!(text, "  {}: {}", shown(what), shown(reason));
        }
    }
    if !report.failures.is_empty() {
        text.push_str("\nfails\n");
        for failure in &report.failures {
            let _ = writeln!(text, "  {}\n    → {}", shown(&failure.what), shown(&failure.next));
        }
    }
    let _ = write!(text, "\n{}", summary(report));
    text
}

/// How much was found, in a line.
fn summary(report: &Report) -> String {
    let counts = Outcome::ALL.map(|outcome| format!("{} {}", report.count(outcome), outcome.word()));
    let found = if report.findings.is_empty() { "nothing was found".to_owned() } else { counts.join(", ") };
    let exempt = report.findings.iter().filter(|found| found.outcome.counts() && found.is_exempt()).count();
    let rest = [
        (exempt, "excepted"),
        (report.unjudged.len(), "cannot be judged"),
        (report.passed_over.len(), "passed over"),
        (report.failures.len(), "fail"),
    ];
    let rest = rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}"));
    format!("{found}{}", rest.collect::<String>())
}

fn newest(report: &Report) -> String {
    let days: Vec<&str> = report.databases.sources.iter().filter_map(|source| source.newest.as_deref()).collect();
    if days.is_empty() { String::new() } else { format!(" (newest of {})", days.join(", ")) }
}

type Row = [String; 5];
const TITLES: [&str; 5] = ["STATE", "SEVERITY", "FLAW", "PACKAGE", "FIXED IN"];

fn row(found: &Found) -> Row {
    let version = found.package.version.as_deref().unwrap_or("(unknown)");
    let severity = match (found.is_flaw(), found.score, &found.informational) {
        (false, _, Some(kind)) => kind.clone(),
        (_, Some(score), _) => format!("{} {score:.1}", found.severity.word()),
        _ => found.severity.word().to_owned(),
    };
    let fixed = if found.fixed.is_empty() { "–".to_owned() } else { found.fixed.join(" or ") };
    let package = format!("{} {version}", found.package.name);
    [found.outcome.word().to_owned(), severity, found.id.clone(), package, fixed].map(|cell| shown(&cell))
}

fn widths(rows: &[Row]) -> [usize; 5] {
    let mut widths = TITLES.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

fn line(text: &mut String, row: &Row, widths: &[usize; 5]) {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(line, "{cell:<width$}  ");
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn details(text: &mut String, found: &Found) {
    let others: Vec<&str> = found.names.iter().map(String::as_str).filter(|name| *name != found.id).collect();
    let also = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
    let summary = if found.summary.is_empty() { "no summary" } else { &found.summary };
    let _ = writeln!(text, "    {}{}", shown(summary), shown(&also));
    if found.other_scheme {
        text.push_str("    the advisory's versions are of another scheme: it may be fine\n");
    }
    for place in &found.places {
        let _ = writeln!(text, "    in {}", at(place));
        if let Some(exempt) = &place.exception {
            let _ = writeln!(text, "       {}", exception(exempt));
        }
    }
    if found.outcome.counts() && !found.is_exempt() {
        let mut next: Vec<&str> =
            found.places.iter().filter(|place| place.outcome.counts()).map(|place| &*place.next).collect();
        next.dedup();
        for next in next {
            let _ = writeln!(text, "    → {}", shown(next));
        }
    }
}

/// Where, and what is known of it there.
fn at(place: &Place) -> String {
    let path = if place.path.is_empty() { String::new() } else { format!("{} ", shown(&place.path)) };
    let version = if place.by.version.is_empty() { String::new() } else { format!(" {}", shown(&place.by.version)) };
    let known = match (place.outcome, &place.reason) {
        (Outcome::Linked, _) => functions(&place.functions),
        (outcome, Some(reason)) => format!("{}: {}", outcome.word(), shown(reason)),
        (outcome, None) => outcome.word().to_owned(),
    };
    format!("{path}({}{version}): {known}", shown(&place.by.component))
}

fn exception(exempt: &Exempt) -> String {
    let Exempt { document, statement, status, justification, expires, notes } = exempt;
    let why = justification.map_or(String::new(), |why| format!(", {}", why.word()));
    let notes = if notes.is_empty() { String::new() } else { format!(": {}", shown(notes)) };
    format!("excepted until {expires} as {}{why} ({}, statement {statement}){notes}", status.word(), shown(document))
}

fn functions(functions: &[String]) -> String {
    let named: Vec<String> = functions.iter().take(FUNCTIONS).map(|name| shown(name)).collect();
    match functions.len().saturating_sub(FUNCTIONS) {
        0 => format!("linked: {}", named.join(", ")),
        more => format!("linked: {} and {more} more", named.join(", ")),
    }
}
