//! What fails.

use orlop_config::definition::{GateSeverity, Gates};

use super::*;

/// A flaw that a database rates so, which this version ends.
fn rated(id: &str, severity: Option<&str>, fixed: Option<&str>) -> Value {
    let mut events = vec![json!({"introduced": "0"})];
    events.extend(fixed.map(|version| json!({"fixed": version})));
    json!({"id": id, "published": "2026-01-02T00:00:00Z", "affected": [{
        "package": {"ecosystem": "Go", "name": "example.com/m"},
        "ranges": [{"type": "SEMVER", "events": events}],
        "database_specific": {"severity": severity},
        "ecosystem_specific": {"imports": [{"path": "example.com/m", "symbols": ["Bad"]}]}}]})
}

fn failing(documents: &[Value], function: Option<&str>, gates: &Gates) -> Vec<String> {
    let mut package = package("Go", "example.com/m", "v1.0.0", "/usr/bin/a");
    if let Some(function) = function {
        package = with(package, &[function]);
    }
    let mut report = report(vec![package], &made_up(documents));
    gate(&mut report, gates);
    assert_eq!(verdict(&report).is_err(), !report.failures.is_empty());
    for found in &report.findings {
        let named = report.failures.iter().any(|failure| failure.what.starts_with(&found.id));
        assert_eq!(found.places[0].fails, named, "{}", found.id);
    }
    report.failures.iter().map(|failure| failure.what.split(' ').next().unwrap().to_owned()).collect()
}

fn all() -> Vec<Value> {
    vec![
        rated("A-1", Some("CRITICAL"), None),
        rated("B-1", Some("HIGH"), Some("1.5.0")),
        rated("C-1", None, Some("1.5.0")),
        rated("D-1", Some("MODERATE"), Some("1.5.0")),
        rated("E-1", Some("LOW"), None),
    ]
}

#[test]
fn the_severities_of_the_gates_fail_and_what_nobody_rated() {
    let gates = Gates::default();
    assert_eq!(failing(&all(), None, &gates), ["A-1", "B-1", "C-1"]);
    let low = Gates { severities: vec![GateSeverity::Low], ..Gates::default() };
    assert_eq!(failing(&all(), None, &low), ["C-1", "E-1"]);
    let none = Gates { severities: Vec::new(), ..Gates::default() };
    assert!(failing(&all(), None, &none).is_empty());
}

#[test]
fn what_nothing_ends_passes_where_only_the_fixable_fails() {
    let gates = Gates { fixable_only: true, ..Gates::default() };
    assert_eq!(failing(&all(), None, &gates), ["B-1", "C-1"]);
    // Whether a newer version ends it, nobody knows either.
    let mut undecided = rated("F-1", Some("HIGH"), None);
    undecided["affected"][0]["ranges"][0]["type"] = json!("REVISION");
    assert_eq!(failing(&[undecided], None, &gates), ["F-1"]);
}

#[test]
fn what_is_not_linked_fails_where_the_gates_say_so() {
    let gates = Gates::default();
    assert!(failing(&all(), Some("example.com/m.Good"), &gates).is_empty());
    assert_eq!(failing(&all(), Some("example.com/m.Bad"), &gates).len(), 3);
    let strict = Gates { not_linked: true, ..Gates::default() };
    assert_eq!(failing(&all(), Some("example.com/m.Good"), &strict).len(), 3);
}

#[test]
fn what_cannot_be_judged_fails_where_the_gates_say_so() {
    let mut inventory = inventory(vec![package("Go", "example.com/m", "v2.0.0", "/usr/bin/a")]);
    let (what, reason) = ("/usr/bin/stripped".to_owned(), "it says nothing".to_owned());
    inventory.unjudged.push(Unjudged { what, component: "x".into(), reason });
    let mut report = scan(&inventory, &made_up(&all()[1..4])).unwrap();
    gate(&mut report, &Gates::default());
    assert_eq!(verdict(&report), Ok(()));
    gate(&mut report, &Gates { unjudged: true, ..Gates::default() });
    let error = verdict(&report).unwrap_err().to_string();
    assert_eq!(error, "the gates fail on 1: /usr/bin/stripped cannot be judged: it says nothing");
    assert!(table(&report).contains("\nfails\n  /usr/bin/stripped cannot be judged"), "{}", table(&report));
}

#[test]
fn what_is_only_unmaintained_is_shown_and_passes() {
    let database = |kind: &str| {
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-9999\"\npackage = \"old\"\ndate = \"2026-01-02\"\n\
             informational = \"{kind}\"\n[versions]\npatched = []\n```\n\n# `old` is {kind}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("RUSTSEC-2026-9999.md"), text).unwrap();
        Database::load(&[folder.path().to_owned()]).unwrap()
    };
    for (kind, fails) in [("unmaintained", false), ("notice", false), ("unsound", true)] {
        let mut report = report(vec![package("crates.io", "old", "1.0.0", "/usr/bin/a")], &database(kind));
        gate(&mut report, &Gates::default());
        assert_eq!((report.findings.len(), !report.failures.is_empty()), (1, fails), "{kind}");
        assert!(table(&report).contains(kind));
    }
}

#[test]
fn an_error_names_a_few_and_counts_the_rest() {
    let mut report = report(yaml(), &database());
    for number in 0..5 {
        report.failures.push(Failure { what: format!("F-{number}\u{1b}[2J"), next: String::new() });
    }
    let error = verdict(&report).unwrap_err().to_string();
    assert!(error.starts_with("the gates fail on 5: \"F-0") && error.ends_with("; and 2 more, which the report names"));
    assert!(!error.contains('\u{1b}'), "{error}");
}
