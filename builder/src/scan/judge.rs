//! Packages and advisories → findings, one for each flaw of a package in a version, with the places where that is.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Found, Outcome, Place};
use super::next::Next;
use super::package::{By, Identity, Inventory, Package, Unjudged};
use super::patched;
use crate::advisories::{Database, Finding, Group, Severity, State, Subject, Symbol, Target, findings, group};
use crate::text::count;

/// What came of judging packages.
pub(super) struct Judged {
    /// What was found, the worst first.
    pub findings: Vec<Found>,
    /// The ecosystems of which nothing is known.
    pub unknown: Vec<Unjudged>,
    /// How many packages were looked up.
    pub packages: usize,
    /// The ecosystems that packages were looked up in.
    pub ecosystems: BTreeSet<String>,
}

/// Judges every package, and says of which ecosystems nothing is known.
pub(super) fn judge(inventory: &Inventory, database: &Database, target: Option<Target<'_>>) -> Judged {
    let mut found: BTreeMap<(Identity, BTreeSet<String>), Found> = BTreeMap::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ecosystems = BTreeSet::new();
    let next = Next::new(inventory);
    for package in &inventory.packages {
        let names = || [Some(&package.identity), package.otherwise.as_ref()].into_iter().flatten();
        // A database that has the ecosystem and not this package must not hide what another one says of its other name.
        let known = |of: &&Identity| database.about(&of.ecosystem, &of.name).next().is_some();
        let covered = || names().find(|of| database.covers(&of.ecosystem));
        let Some(identity) = names().find(known).or_else(covered) else {
            *unknown.entry(&package.identity.ecosystem).or_default() += 1;
            continue;
        };
        let functions = package.functions.as_deref();
        let Identity { ecosystem, name, version } = identity;
        ecosystems.insert(ecosystem.clone());
        let subject = Subject { ecosystem, name, version: version.as_deref(), functions };
        for group in group(findings(database, &[subject], target)) {
            add(&mut found, (package, identity), &group, &next);
        }
    }
    let mut list: Vec<Found> = found.into_values().collect();
    patched::apply(&mut list, &inventory.patched);
    for found in &mut list {
        found.places.sort_by(|a, b| order(a).cmp(&order(b)));
        // A program may list a module twice (as itself and as a replacement): one place.
        found.places.dedup();
    }
    // The worst first; the map's order below that.
    list.sort_by_key(|found| (std::cmp::Reverse(found.outcome), rank(found.severity)));
    Judged {
        findings: list,
        packages: inventory.packages.len() - unknown.values().sum::<usize>(),
        unknown: unknown.into_iter().map(not_looked_for).collect(),
        ecosystems,
    }
}

/// Equal places stand beside each other.
fn order(place: &Place) -> (&str, &By, Outcome, &[String], Option<&str>) {
    (&place.path, &place.by, place.outcome, &place.functions, place.reason.as_deref())
}

fn not_looked_for((ecosystem, number): (&str, usize)) -> Unjudged {
    let packages = count(number, "package", "packages");
    Unjudged {
        what: ecosystem.to_owned(),
        component: String::new(),
        reason: format!("{packages}, and no database says anything about this ecosystem; name one with --db"),
    }
}

/// Adds a flaw of a package at a place. In another file the same package in the same version has the same flaws.
fn add(
    found: &mut BTreeMap<(Identity, BTreeSet<String>), Found>,
    (package, identity): (&Package, &Identity),
    group: &Group<'_>,
    next: &Next<'_>,
) {
    let names: BTreeSet<String> = group.names.iter().map(|name| (*name).to_owned()).collect();
    let entry = found.entry((identity.clone(), names.clone())).or_insert_with(|| flaw(identity, names, group));
    let mut place = place(package, group);
    place.next = match place.outcome {
        Outcome::Undecided => "read the advisory, and say in an OpenVEX document what holds here".to_owned(),
        _ => next.of(package, identity, &entry.fixed),
    };
    entry.outcome = entry.outcome.max(place.outcome);
    entry.places.push(place);
}

/// What the documents say of a flaw together. A group is never empty; of one that were, nothing would be said.
fn flaw(identity: &Identity, names: BTreeSet<String>, group: &Group<'_>) -> Found {
    let documents = || group.findings.iter();
    let severity = documents().map(|finding| finding.severity).max().unwrap_or_default();
    let score = |finding: &Finding<'_>| {
        (finding.advisory.rating.severity == severity).then_some(finding.advisory.rating.score)?
    };
    let mut fixed: Vec<String> = Vec::new();
    for version in documents().flat_map(|finding| &finding.fixed) {
        if !fixed.contains(version) {
            fixed.push(version.clone());
        }
    }
    let flaws = documents().any(|finding| finding.advisory.informational.is_none());
    let informational = documents().find_map(|finding| finding.advisory.informational.clone()).filter(|_| !flaws);
    let first = |text: fn(&Finding<'_>) -> Option<String>| documents().find_map(text);
    Found {
        id: first(|finding| Some(finding.advisory.id.clone())).unwrap_or_default(),
        names,
        package: identity.clone(),
        outcome: Outcome::OtherPlatform,
        severity,
        score: documents().filter_map(score).max_by(f64::total_cmp),
        vectors: documents().flat_map(|finding| finding.advisory.rating.vectors.iter().cloned()).collect(),
        informational,
        summary: first(|finding| Some(finding.advisory.summary.clone()).filter(|text| !text.is_empty()))
            .unwrap_or_default(),
        url: first(|finding| finding.advisory.url.clone()),
        fixed,
        other_scheme: documents().all(|finding| finding.other_scheme),
        places: Vec::new(),
    }
}

/// A package in a file, and what the flaw is there. What to do about it is for the caller to say.
fn place(package: &Package, group: &Group<'_>) -> Place {
    let states = states(group);
    let worst = states.iter().copied().max();
    let mut functions: Vec<String> = Vec::new();
    for state in &states {
        if let State::Linked(symbols) = state {
            functions.extend(symbols.iter().map(function));
        }
    }
    functions.sort();
    functions.dedup();
    let reason = match worst {
        Some(State::Undecided(reason)) => Some(reason.clone()),
        _ => None,
    };
    Place {
        path: package.path.clone(),
        by: package.by.clone(),
        outcome: worst.map_or(Outcome::Undecided, Outcome::from),
        functions,
        reason,
        next: String::new(),
        fails: false,
        exception: None,
    }
}

/// The state that each document gives. One that says nothing of functions or platforms leaves that to one that does and
/// that is about the same flaw (each names the other, or one of them does): the databases of others repeat Go's own
/// without its list of functions.
fn states<'g>(group: &'g Group<'_>) -> Vec<&'g State> {
    let knows = |a: &Finding<'_>, b: &Finding<'_>| a.advisory.aliases.contains(&b.advisory.id);
    let spared = |finding: &Finding<'_>| matches!(finding.state, State::NotLinked | State::OtherPlatform);
    let state = |finding: &'g Finding<'_>| {
        if finding.state != State::Affected {
            return &finding.state;
        }
        let better =
            group.findings.iter().filter(|other| spared(other) && (knows(other, finding) || knows(finding, other)));
        better.map(|other| &other.state).max().unwrap_or(&finding.state)
    };
    group.findings.iter().map(state).collect()
}

fn function(symbol: &Symbol) -> String {
    match &symbol.name {
        Some(name) => format!("{}.{name}", symbol.path),
        None => symbol.path.clone(),
    }
}

/// The order of severities in lists: what nobody rated may be anything, and stands behind what is surely bad.
fn rank(severity: Severity) -> usize {
    match severity {
        Severity::Critical => 0,
        Severity::High => 1,
        Severity::Unknown => 2,
        Severity::Medium => 3,
        Severity::Low => 4,
        Severity::None => 5,
    }
}
