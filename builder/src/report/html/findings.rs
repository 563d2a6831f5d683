//! What is known to be wrong: a table with search and filter, what fails, what cannot be judged, and by what it was judged.
//!
//! Without script the whole table stands there. With it, `assets/report.js` shows the filter, and keeps its state in the
//! address: `#severity=high&q=kubelet`.

use super::Report;
use super::markup::Html;
use super::table::{row, table};
use crate::advisories::Severity;
use crate::scan::{self, Exempt, Found, Outcome, Place};
use crate::text::count;

const SEVERITIES: [Severity; 6] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::None, Severity::Unknown];
/// Functions of a place that are named; of more, how many there are.
const FUNCTIONS: usize = 8;

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let Some(scan) = report.scan else { return };
    let text = format!(
        "{}, judged by {}.",
        count(scan.packages, "package", "packages"),
        count(scan.databases.advisories, "advisory", "advisories")
    );
    html.leaf("p", &[], &text);
    if scan.findings.is_empty() {
        html.leaf("p", &[], "Nothing was found. That speaks only of what was judged.");
    } else {
        filter(html, scan);
        let columns = ["Flaw", "Severity", "State", "Package", "Fixed in", "What and where"];
        table(html, "Findings, the worst first", &columns, |html| {
            scan.findings.iter().for_each(|found| finding(html, found));
        });
    }
    rest(html, scan);
}

/// Hidden until the script shows it: without one it would do nothing.
fn filter(html: &mut Html, scan: &scan::Report) {
    let rated = |severity: Severity| scan.findings.iter().filter(|found| found.severity == severity).count();
    let form = [("id", "filter"), ("role", "search"), ("aria-label", "Filter of the findings"), ("hidden", "hidden")];
    html.element("form", &form, |html| {
        html.element("label", &[], |html| {
            html.text("Search ");
            html.empty("input", &[("id", "filter-q"), ("type", "search"), ("autocomplete", "off")]);
        });
        html.element("label", &[], |html| {
            html.text("Severity ");
            let options = SEVERITIES.map(|severity| (severity.word(), rated(severity)));
            select(html, "filter-severity", &options);
        });
        html.element("label", &[], |html| {
            html.text("State ");
            select(html, "filter-state", &Outcome::ALL.map(|state| (state.word(), scan.count(state))));
        });
        html.element("label", &[], |html| {
            html.empty("input", &[("id", "filter-fails"), ("type", "checkbox")]);
            html.text(" only what the gates fail");
        });
        html.leaf("button", &[("id", "filter-clear"), ("type", "button")], "Show all");
        html.leaf("p", &[("id", "filter-count"), ("role", "status"), ("aria-live", "polite")], "");
    });
}

fn select(html: &mut Html, id: &'static str, options: &[(&'static str, usize)]) {
    html.element("select", &[("id", id)], |html| {
        html.leaf("option", &[("value", "")], "all");
        for (word, number) in options {
            html.leaf("option", &[("value", word)], &format!("{word} ({number})"));
        }
    });
}

fn finding(html: &mut Html, found: &Found) {
    let fails = if found.places.iter().any(|place| place.fails) { "yes" } else { "no" };
    let (severity, state) = (found.severity.word(), found.outcome.word());
    let (version, fixed) = (found.package.version.as_deref().unwrap_or("(unknown)"), found.fixed.join(" or "));
    html.element("tr", &[("data-severity", severity), ("data-state", state), ("data-fails", fails)], |html| {
        html.element("th", &[("scope", "row")], |html| names(html, found));
        html.leaf("td", &[("class", &format!("severity {severity}"))], &rated(found));
        html.leaf("td", &[], state);
        html.leaf("td", &[], &format!("{} {version}", found.package.name));
        html.leaf("td", &[], if found.fixed.is_empty() { "–" } else { &fixed });
        html.element("td", &[], |html| {
            let summary = if found.summary.is_empty() { "no summary" } else { &found.summary };
            html.leaf("p", &[], summary);
            if found.other_scheme {
                html.leaf("p", &[], "The advisory's versions are of another scheme: it may be fine.");
            }
            html.element("ul", &[], |html| found.places.iter().for_each(|place| at(html, place)));
        });
    });
}

fn names(html: &mut Html, found: &Found) {
    match &found.url {
        Some(url) => html.link(url, &found.id),
        None => html.text(&found.id),
    }
    let others: Vec<&str> = found.names.iter().map(String::as_str).filter(|name| *name != found.id).collect();
    if !others.is_empty() {
        html.leaf("p", &[("class", "small")], &others.join(", "));
    }
}

/// What RustSec calls `unmaintained` is no flaw, and has no severity.
fn rated(found: &Found) -> String {
    match (&found.informational, found.score) {
        (Some(kind), _) if !found.is_flaw() => kind.clone(),
        (_, Some(score)) => format!("{} {score:.1}", found.severity.word()),
        _ => found.severity.word().into(),
    }
}

fn at(html: &mut Html, place: &Place) {
    let Place { path, by, outcome, functions, reason, next, fails, exception } = place;
    html.element("li", &[], |html| {
        html.leaf("code", &[], if path.is_empty() { &by.component } else { path });
        html.text(&format!(" of {} {}: {}", by.component, by.version, outcome.word()));
        if !functions.is_empty() {
            let named = functions.get(..FUNCTIONS).unwrap_or(functions).join(", ");
            let more = match functions.len().saturating_sub(FUNCTIONS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            html.text(&format!(" ({named}{more})"));
        }
        if let Some(reason) = reason {
            html.text(&format!(", because {reason}"));
        }
        if *fails {
            html.text(". ");
            html.leaf("strong", &[("class", "bad")], "Fails the gates");
        }
        match exception {
            Some(exempt) => html.text(&format!(". {}", excepted(exempt))),
            None if outcome.counts() => html.text(&format!(". Next: {next}")),
            None => {}
        }
    });
}

fn excepted(exempt: &Exempt) -> String {
    let Exempt { document, statement, status, justification, expires, notes } = exempt;
    let why = justification.map_or(String::new(), |why| format!(", {}", why.word()));
    let notes = if notes.is_empty() { String::new() } else { format!(": {notes}") };
    format!("Excepted until {expires} as {}{why} ({document}, statement {statement}){notes}", status.word())
}

/// What fails, what nobody can judge, which exceptions are passed over, and the databases.
fn rest(html: &mut Html, scan: &scan::Report) {
    if !scan.failures.is_empty() {
        table(html, "What fails", &["What", "What to do"], |html| {
            scan.failures.iter().for_each(|failure| row(html, &[&failure.what, &failure.next]));
        });
    }
    if !scan.unjudged.is_empty() {
        table(html, "What cannot be judged", &["What", "Component", "Why"], |html| {
            for unjudged in &scan.unjudged {
                row(html, &[&unjudged.what, &unjudged.component, &unjudged.reason]);
            }
        });
    }
    if !scan.passed_over.is_empty() {
        table(html, "Exceptions that are about nothing here", &["Which", "Why"], |html| {
            scan.passed_over.iter().for_each(|passed| row(html, &[&passed.what, &passed.reason]));
        });
    }
    table(html, "Databases", &["Database", "Documents", "Newest of"], |html| {
        for source in &scan.databases.sources {
            // Where it lay is the machine's business.
            let name = source.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            row(html, &[name, &source.documents.to_string(), source.newest.as_deref().unwrap_or("not said")]);
        }
    });
}
