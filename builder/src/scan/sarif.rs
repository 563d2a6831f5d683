//! SARIF 2.1.0 (OASIS), which forges show beside the lines of a merge request: a rule for each flaw, a result for each place
//! of it. What cannot be judged is a notification of the run, and so is an exception that is passed over.
//!
//! Messages hold words of others: names, summaries, paths. SARIF reads `{0}` in them as a placeholder (3.11.5) and
//! `[text](address)` as a link (3.11.6), so that every message goes through `plain`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::found::{Found, Place};
use super::report::Report;
use super::vex::Status;
use crate::advisories::Severity;
use crate::formats::purl::encoded;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Where results are shown: in the definition, at the component that brought the package, or at the scanned file.
#[derive(Debug, Clone, Default)]
pub struct Locations {
    /// The file of everything that stands nowhere else.
    pub file: String,
    /// Component → file and line, counted from 1.
    pub components: BTreeMap<String, (String, usize)>,
}

impl Locations {
    /// Adds the components whose tables begin in a definition's text. What stands there already stays: the nearer definition.
    pub fn add(&mut self, file: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            let Some(rest) = line.trim_start().strip_prefix("[components.") else { continue };
            let name = rest.split([']', '.']).next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            self.components.entry(name.to_owned()).or_insert_with(|| (file.to_owned(), index + 1));
        }
    }

    fn of(&self, place: &Place) -> Value {
        let (file, line) = match self.components.get(&place.by.component) {
            Some((file, line)) => (file, *line),
            None => (&self.file, 1),
        };
        json!({"artifactLocation": {"uri": uri(file)}, "region": {"startLine": line}})
    }
}

/// The document.
pub fn document(report: &Report, locations: &Locations) -> Value {
    let mut rules: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &report.findings {
        rules.entry(&found.id).or_default().push(found);
    }
    let indexes: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
    let results = report.findings.iter().flat_map(|found| {
        let rule = indexes[&*found.id];
        found.places.iter().map(move |place| result(found, place, rule, locations))
    });
    let rules = rules.iter().map(|(id, found)| rule(id, found));
    let unjudged = report.unjudged.iter().map(|unjudged| {
        let text = plain(&format!("{} cannot be judged: {}", unjudged.what, unjudged.reason));
        json!({"level": "warning", "message": {"text": text}})
    });
    let passed_over = report.passed_over.iter().map(|passed| {
        let text = plain(&format!("{} is passed over: {}", passed.what, passed.reason));
        json!({"level": "note", "message": {"text": text}})
    });
    let notifications = unjudged.chain(passed_over);
    let driver = json!({
        "name": "orlop scan",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": rules.collect::<Vec<_>>(),
    });
    let invocation = json!({
        "executionSuccessful": true,
        "toolExecutionNotifications": notifications.collect::<Vec<_>>(),
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(id: &str, found: &[&Found]) -> Value {
    // A flaw of several packages is as bad as its worst.
    let worst = found.iter().copied().max_by_key(|found| found.severity);
    let mut rule = Map::new();
    rule.insert("id".into(), id.into());
    let summary = worst.map(|found| &*found.summary).filter(|summary| !summary.is_empty()).unwrap_or(id);
    rule.insert("shortDescription".into(), json!({"text": plain(summary)}));
    if let Some(url) = worst.and_then(|found| found.url.as_ref()) {
        rule.insert("helpUri".into(), url.as_str().into());
    }
    let others: Vec<&str> =
        worst.into_iter().flat_map(|found| &found.names).map(String::as_str).filter(|name| *name != id).collect();
    let mut properties = json!({"tags": ["security"], "names": others});
    if let Some(score) = worst.and_then(score) {
        properties["security-severity"] = score.into();
    }
    rule.insert("properties".into(), properties);
    Value::Object(rule)
}

/// As forges sort by it; what nobody rated has none.
fn score(found: &Found) -> Option<String> {
    let least = match found.severity {
        Severity::Critical => 9.0,
        Severity::High => 7.0,
        Severity::Medium => 4.0,
        Severity::Low => 0.1,
        Severity::None => 0.0,
        Severity::Unknown => return None,
    };
    Some(format!("{:.1}", found.score.unwrap_or(least)))
}

fn result(found: &Found, place: &Place, rule: usize, locations: &Locations) -> Value {
    let level = match (place.fails, place.outcome.counts()) {
        (true, _) => "error",
        (false, true) => "warning",
        (false, false) => "note",
    };
    let version = found.package.version.as_deref().unwrap_or("(unknown version)");
    let at = if place.path.is_empty() { &place.by.component } else { &place.path };
    let known = match &place.reason {
        Some(reason) => format!("{}: {reason}", place.outcome.word()),
        None => place.outcome.word().to_owned(),
    };
    let functions =
        if place.functions.is_empty() { String::new() } else { format!(": {}", place.functions.join(", ")) };
    let text = plain(&format!(
        "{} {version} in {at}: {} ({known}{functions}). Next: {}.",
        found.package.name, found.summary, place.next
    ));
    let name = format!("{at}!{}@{version}", found.package.name);
    let mut result = json!({
        "ruleId": found.id,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{
            "physicalLocation": locations.of(place),
            "logicalLocations": [{"fullyQualifiedName": name, "kind": "module"}],
        }],
        "partialFingerprints": {"orlopFinding/v1": fingerprint(found, place)},
    });
    if let Some(exempt) = &place.exception {
        let why = exempt.justification.map_or(exempt.status.word(), |why| why.word());
        let text = format!("{why}, until {}: {}", exempt.expires, exempt.notes);
        let status = if exempt.status == Status::UnderInvestigation { "underReview" } else { "accepted" };
        result["suppressions"] = json!([{"kind": "external", "status": status, "justification": text}]);
    }
    result
}

/// What makes a finding the same one tomorrow: not the version, which changes while the flaw stays.
fn fingerprint(found: &Found, place: &Place) -> String {
    let mut hash = Sha256::new();
    for part in [&found.id, &found.package.ecosystem, &found.package.name, &place.path, &place.by.component] {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    }
    hex::encode(hash.finalize())
}

/// Text in which nothing is a placeholder or a link: braces are doubled, brackets and backslashes have a backslash in front.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '{' | '}' => plain.push(character),
            '[' | ']' | '\\' => plain.push('\\'),
            _ => {}
        }
        plain.push(character);
    }
    plain
}

/// A path as a URI reference (RFC 3986); one from the top of the file system as a `file:` URI.
fn uri(path: &str) -> String {
    // A colon in the first part would make it a scheme.
    let encoded = path.split('/').map(|part| encoded(part).replace(':', "%3A")).collect::<Vec<_>>().join("/");
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
