//! What differs between the scans of two images by the same databases.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::found::{Found, Outcome};
use super::package::Unjudged;
use super::report::Report;
use crate::advisories::Severity;
use crate::text::shown;

/// What differs. What both images have alike is only counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingChanges {
    /// What only the second image has.
    pub new: Vec<Found>,
    /// What only the first one has.
    pub gone: Vec<Found>,
    /// What both have, and not alike.
    pub changed: Vec<FindingChange>,
    /// How many findings both have alike.
    pub unchanged: usize,
    /// What could be judged of the first image, or was not in it, and cannot be judged of the second.
    pub unjudged_new: Vec<Unjudged>,
    /// What cannot be judged of the first image, and can be of the second or is not in it.
    pub unjudged_gone: Vec<Unjudged>,
}

/// A flaw that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingChange {
    /// The name that it is called by in the second image.
    pub id: String,
    /// The package's ecosystem.
    pub ecosystem: String,
    /// The package.
    pub name: String,
    /// In the first image.
    pub before: Standing,
    /// In the second image.
    pub after: Standing,
}

/// How a flaw stands in one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The package's versions that have it; two programs may have two.
    pub versions: BTreeSet<String>,
    /// The worst of its places.
    pub outcome: Outcome,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the gates fail it.
    pub fails: bool,
}

/// One flaw of a package, in as many versions as an image has of it.
struct Flaw<'a> {
    ecosystem: &'a str,
    name: &'a str,
    names: BTreeSet<&'a str>,
    found: Vec<&'a Found>,
}

/// Compares two scans. A flaw is the same where package and one of its names are.
pub fn changes(before: &Report, after: &Report) -> FindingChanges {
    let (mut old, new) = (flaws(before), flaws(after));
    let mut changes = FindingChanges {
        new: Vec::new(),
        gone: Vec::new(),
        changed: Vec::new(),
        unchanged: 0,
        unjudged_new: only(&after.unjudged, &before.unjudged),
        unjudged_gone: only(&before.unjudged, &after.unjudged),
    };
    for flaw in new {
        let same = |other: &Flaw<'_>| {
            (other.ecosystem, other.name) == (flaw.ecosystem, flaw.name) && !other.names.is_disjoint(&flaw.names)
        };
        let Some(index) = old.iter().position(same) else {
            changes.new.extend(flaw.found.iter().map(|found| (*found).clone()));
            continue;
        };
        let (before, after) = (old.swap_remove(index).standing(), flaw.standing());
        if before == after {
            changes.unchanged += 1;
        } else {
            let (ecosystem, name) = (flaw.ecosystem.to_owned(), flaw.name.to_owned());
            changes.changed.push(FindingChange { id: flaw.id(), ecosystem, name, before, after });
        }
    }
    changes.gone.extend(old.iter().flat_map(|flaw| &flaw.found).map(|found| (*found).clone()));
    // The worst first, as in a scan.
    changes.gone.sort_by_cached_key(|found| place(before, found));
    changes
}

/// Where a finding stands in its own report.
fn place(report: &Report, found: &Found) -> usize {
    report.findings.iter().position(|other| other == found).unwrap_or(usize::MAX)
}

/// The flaws of a scan, in its order.
fn flaws(report: &Report) -> Vec<Flaw<'_>> {
    let mut flaws: Vec<Flaw<'_>> = Vec::new();
    for found in &report.findings {
        let (ecosystem, name) = (found.package.ecosystem.as_str(), found.package.name.as_str());
        let names: BTreeSet<&str> = found.names.iter().map(String::as_str).collect();
        let same =
            |flaw: &&mut Flaw<'_>| (flaw.ecosystem, flaw.name) == (ecosystem, name) && !flaw.names.is_disjoint(&names);
        match flaws.iter_mut().find(same) {
            Some(flaw) => {
                flaw.names.extend(&names);
                flaw.found.push(found);
            }
            None => flaws.push(Flaw { ecosystem, name, names, found: vec![found] }),
        }
    }
    flaws
}

impl Flaw<'_> {
    fn id(&self) -> String {
        self.found.first().map(|found| found.id.clone()).unwrap_or_default()
    }

    fn standing(&self) -> Standing {
        let version = |found: &&Found| found.package.version.clone().unwrap_or_else(|| "(unknown)".into());
        Standing {
            versions: self.found.iter().map(version).collect(),
            outcome: self.found.iter().map(|found| found.outcome).max().unwrap_or(Outcome::Undecided),
            severity: self.found.iter().map(|found| found.severity).max().unwrap_or_default(),
            fails: self.found.iter().any(|found| found.places.iter().any(|place| place.fails)),
        }
    }
}

fn only(of: &[Unjudged], not_of: &[Unjudged]) -> Vec<Unjudged> {
    of.iter().filter(|unjudged| !not_of.contains(unjudged)).cloned().collect()
}

/// The changes as lines: `+` came, `-` went, `~` is another.
pub fn text(changes: &FindingChanges) -> String {
    let FindingChanges { new, gone, changed, unchanged, unjudged_new, unjudged_gone } = changes;
    let mut text = String::from("\nfindings\n");
    for (sign, list) in [("+", new), ("-", gone)] {
        for found in list {
            line(&mut text, sign, found);
        }
    }
    for FindingChange { id, name, before, after, .. } in changed {
        let _ = writeln!(text, "  ~ {} in {}: {} → {}", shown(id), shown(name), said(before), said(after));
    }
    let _ =
        writeln!(text, "  {} new, {} gone, {} changed, {unchanged} as before", new.len(), gone.len(), changed.len());
    for (sign, list) in [("+", unjudged_new), ("-", unjudged_gone)] {
        for Unjudged { what, reason, .. } in list {
            let _ = writeln!(text, "  {sign} cannot be judged: {}: {}", shown(what), shown(reason));
        }
    }
    text
}

fn line(text: &mut String, sign: &str, found: &Found) {
    let Found { id, package, outcome, severity, summary, fixed, .. } = found;
    let version = package.version.as_deref().unwrap_or("(unknown)");
    let (id, name, version, summary) = (shown(id), shown(&package.name), shown(version), shown(summary));
    let fixed = if fixed.is_empty() { String::new() } else { format!(", ended by {}", shown(&fixed.join(" or "))) };
    let (outcome, severity) = (outcome.word(), severity.word());
    let _ = writeln!(text, "  {sign} {id} in {name} {version} ({outcome}, severity {severity}{fixed}) {summary}");
}

fn said(standing: &Standing) -> String {
    let Standing { versions, outcome, severity, fails } = standing;
    let versions = versions.iter().map(|version| shown(version)).collect::<Vec<_>>().join(", ");
    let fails = if *fails { ", fails" } else { "" };
    format!("{versions} ({}, severity {}{fails})", outcome.word(), severity.word())
}
