use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::formats::go_binary::Functions;

mod documents;
mod files;

const LINUX: Option<Target<'_>> = Some(Target { system: "linux", architecture: "amd64" });

/// Where the public databases' documents for tests lie.
fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advisories")
}

fn database() -> Database {
    Database::load(&[samples()]).unwrap()
}

fn subject<'a>(ecosystem: &'a str, name: &'a str, version: &'a str) -> Subject<'a> {
    Subject { ecosystem, name, version: Some(version), functions: None }
}

/// A database of one document about `example` in an ecosystem.
fn about(ecosystem: &str, ranges: &Value, versions: &Value) -> Database {
    let package = json!({"ecosystem": ecosystem, "name": "example"});
    let affected = json!([{"package": package, "ranges": ranges, "versions": versions}]);
    let document =
        json!({"schema_version": "1.7.3", "id": "T-1", "modified": "2026-01-02T00:00:00Z", "affected": affected});
    Database::new(vec![osv::parse(&document.to_string()).unwrap()])
}

/// `fixed` versions if it is affected.
fn verdict(database: &Database, version: &str) -> Option<Vec<String>> {
    match judge(&database.advisories()[0].affected[0], Some(version)) {
        Verdict::Unaffected => None,
        Verdict::Affected { fixed } => Some(fixed),
        Verdict::Undecided { reason } => panic!("{version}: {reason}"),
    }
}

fn undecided(database: &Database, version: &str) -> String {
    match judge(&database.advisories()[0].affected[0], Some(version)) {
        Verdict::Undecided { reason } => reason,
        other => panic!("{version}: {other:?}"),
    }
}

#[test]
fn gos_own_library_is_affected_up_to_the_fix_of_each_branch() {
    let database = database();
    for (release, fixed) in [
        ("go1.21.8", Some("1.21.9")),
        ("go1.21.9", None),
        ("go1.22rc1", Some("1.22.2")),
        ("go1.22.1", Some("1.22.2")),
        ("go1.22.2", None),
        ("go1.26.8", None),
    ] {
        let version = go_release(release).unwrap();
        let subjects = [subject("Go", "stdlib", &version)];
        let found = findings(&database, &subjects, LINUX);
        let found = found.iter().find(|finding| finding.advisory.id == "GO-2024-2687");
        assert_eq!(found.map(|finding| finding.fixed.join(" ")), fixed.map(str::to_owned), "{release}");
    }
}

#[test]
fn functions_that_are_linked_are_told_from_those_that_are_not() {
    let database = database();
    let state = |functions: Option<&Functions>| {
        let subjects = [Subject { functions, ..subject("Go", "gopkg.in/yaml.v2", "v2.2.3") }];
        let mut found = findings(&database, &subjects, LINUX);
        assert_eq!(
            (found.len(), found[0].advisory.id.as_str(), found[0].fixed.join(" ")),
            (1, "GO-2022-0956", "2.2.4".into())
        );
        found.remove(0).state
    };
    let mut functions = Functions::default();
    assert_eq!(state(None), State::Affected, "nobody looked");
    functions.add("gopkg.in/yaml%2ev2.Marshal", true);
    assert_eq!(state(Some(&functions)), State::NotLinked);
    functions.add("gopkg.in/yaml%2ev2.(*Decoder).Decode", false);
    functions.add("gopkg.in/yaml%2ev2.Unmarshal", true);
    let symbol = |name: &str| Symbol { path: "gopkg.in/yaml.v2".into(), name: Some(name.into()) };
    assert_eq!(state(Some(&functions)), State::Linked(vec![symbol("Decoder.Decode"), symbol("Unmarshal")]));
}

#[test]
fn a_fault_that_shows_elsewhere_is_told_apart() {
    let database = database();
    let mut functions = Functions::default();
    functions.add("golang.org/x/sys/windows.NewNTUnicodeString", true);
    let subjects = [Subject { functions: Some(&functions), ..subject("Go", "golang.org/x/sys", "v0.35.0") }];
    let state = |target| findings(&database, &subjects, target)[0].state.clone();
    assert_eq!(state(LINUX), State::OtherPlatform);
    assert!(matches!(state(Some(Target { system: "windows", architecture: "amd64" })), State::Linked(_)));
    assert!(matches!(state(None), State::Linked(_)));
    // By architecture.
    let subjects = [subject("Go", "filippo.io/nistec", "v0.0.1")];
    let on =
        |architecture| findings(&database, &subjects, Some(Target { system: "linux", architecture }))[0].state.clone();
    assert_eq!((on("amd64"), on("riscv64")), (State::Affected, State::OtherPlatform));
    let subjects = [subject("crates.io", "bat", "0.18.1")];
    assert_eq!(findings(&database, &subjects, LINUX)[0].state, State::OtherPlatform);
}

#[test]
fn what_was_withdrawn_is_nobodys_finding() {
    let database = database();
    let withdrawn = database.advisories().iter().find(|advisory| advisory.id == "GO-2022-0617").unwrap();
    assert_eq!(withdrawn.withdrawn.as_deref(), Some("2024-08-21T16:25:56Z"));
    assert!(findings(&database, &[subject("Go", "k8s.io/kubernetes", "v1.30.0")], LINUX).is_empty());
}

#[test]
fn a_module_that_is_replaced_a_tool_and_ranges_of_another_scheme() {
    let database = database();
    let found = findings(&database, &[subject("Go", "github.com/linkerd/linkerd2", "v0.5.1")], LINUX);
    assert!(found[0].other_scheme && found[0].fixed.is_empty(), "{found:?}");
    assert!(findings(&database, &[subject("Go", "toolchain", "1.24.0-rc.1")], LINUX)[0].state == State::Affected);
    assert!(findings(&database, &[subject("Go", "toolchain", "1.23.4")], LINUX).is_empty());
    assert_eq!(database.ecosystems().into_iter().collect::<Vec<_>>(), ["Go", "Rust", "crates.io"]);
}

#[test]
fn a_version_that_is_none_and_no_version_at_all_leave_it_open() {
    let database = database();
    for version in [None, Some("(devel)"), Some("")] {
        let subjects = [Subject { version, ..subject("Go", "gopkg.in/yaml.v2", "") }];
        let found = findings(&database, &subjects, LINUX);
        let State::Undecided(reason) = &found[0].state else { panic!("{found:?}") };
        assert!(reason.contains("version"), "{reason}");
    }
}

#[test]
fn crates_are_judged_by_what_rustsec_calls_patched() {
    let database = database();
    let fixed = |name, version| {
        let found = findings(&database, &[subject("crates.io", name, version)], LINUX);
        found.first().map(|finding| finding.fixed.join(" "))
    };
    for (version, next) in [
        ("0.3.1", None),
        ("0.3.2", Some("0.3.4")),
        ("0.3.4", None),
        ("0.4.4", Some("0.4.5")),
        ("0.4.5", None),
        ("0.5.0-alpha.1", Some("0.5.1")),
        ("0.5.1", None),
        ("0.6.2", Some("0.6.3")),
        ("0.6.3", None),
        ("1.13.2", None),
    ] {
        assert_eq!(fixed("smallvec", version).as_deref(), next, "{version}");
    }
    assert_eq!(fixed("tar", "0.4.44").as_deref(), Some("0.4.45"));
    let found = findings(&database, &[subject("crates.io", "tar", "0.4.44")], LINUX);
    let (finding, advisory) = (&found[0], found[0].advisory);
    assert_eq!((finding.severity, advisory.rating.score), (Severity::Medium, Some(5.1)));
    assert_eq!(advisory.aliases, ["CVE-2026-33056", "GHSA-j4xf-2g29-59ph"]);
    assert!(advisory.summary.starts_with("`unpack_in` can chmod arbitrary directories"), "{}", advisory.summary);
    assert_eq!(advisory.affected[0].imports[0].symbols, ["tar::Entry::unpack", "tar::Entry::unpack_in"]);
    // Rust's own library is no crate.
    assert_eq!(fixed("std", "1.1.0"), None);
    assert_eq!(findings(&database, &[subject("Rust", "std", "1.1.0")], LINUX)[0].fixed, ["1.2.0"]);
}

/// The shape of Debian's documents; what they say is made up.
#[test]
fn debians_versions_are_compared_as_dpkg_compares_them() {
    let database = about(
        "Debian:13",
        &json!([{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "6.12.48-1"}]}]),
        &json!(["6.12.9-1"]),
    );
    for (version, affected) in [
        ("6.12.9-1", true),
        ("6.12.48-1~bpo12+1", true),
        ("6.12.48-1", false),
        ("6.12.48-1+deb13u1", false),
        ("1:1.0", false),
    ] {
        assert_eq!(verdict(&database, version).is_some(), affected, "{version}");
    }
    let count = |ecosystem| findings(&database, &[subject(ecosystem, "example", "6.12.9-1")], LINUX).len();
    assert_eq!((count("Debian:13"), count("Debian:12"), count("Debian"), count("Go")), (1, 0, 0, 0));
    let all = about("Debian", &json!([]), &json!(["6.12.9-1"]));
    assert_eq!(findings(&all, &[subject("Debian:13", "example", "6.12.9-1")], LINUX).len(), 1);
}

#[test]
fn every_kind_of_event_has_its_meaning() {
    let semver = |events: Value| about("Go", &json!([{"type": "SEMVER", "events": events}]), &Value::Null);
    // In no order, two ranges in one.
    let database =
        semver(json!([{"fixed": "2.0.5"}, {"introduced": "2.0.0"}, {"fixed": "1.3.0"}, {"introduced": "1.2.0"}]));
    for (version, fixed) in
        [("1.1.9", None), ("v1.2.0", Some("1.3.0")), ("1.3.0", None), ("2.0.4", Some("2.0.5")), ("2.0.5", None)]
    {
        assert_eq!(verdict(&database, version), fixed.map(|fixed| vec![fixed.to_owned()]), "{version}");
    }
    let last = semver(json!([{"introduced": "0"}, {"last_affected": "1.5.0"}]));
    assert_eq!((verdict(&last, "1.5.0"), verdict(&last, "1.5.1")), (Some(vec![]), None));
    let again = semver(json!([{"introduced": "0"}, {"fixed": "1.0.0"}, {"introduced": "1.0.0"}]));
    assert_eq!(verdict(&again, "1.0.0"), Some(vec![]), "what is fixed and introduced at once");
    let limit = semver(json!([{"introduced": "1.0.0"}, {"limit": "2.0.0"}]));
    assert_eq!((verdict(&limit, "1.9.0"), verdict(&limit, "2.0.0")), (Some(vec![]), None));
    assert_eq!(verdict(&semver(json!([{"introduced": "1.0.0"}, {"limit": "*"}])), "9.0.0"), Some(vec![]));
    assert_eq!(verdict(&semver(json!([])), "9.0.0"), None, "no range begins");
    assert_eq!(verdict(&about("Go", &json!([]), &json!([])), "1.0.0"), Some(vec![]), "said of all versions");
    assert_eq!(verdict(&about("Go", &Value::Null, &json!(["v1.0.0"])), "1.0.0"), Some(vec![]));
    assert_eq!(verdict(&about("Go", &Value::Null, &json!(["v1.0.0"])), "1.0.1"), None);
}

#[test]
fn what_cannot_be_judged_is_open_and_never_fine() {
    let range = |kind: &str, from: &str| json!([{"type": kind, "events": [{"introduced": from}]}]);
    for (ecosystem, ranges, wanted) in [
        ("Go", range("REVISION", "0"), "unknown type \"REVISION\""),
        ("Go", range("GIT", "0123abcd"), "commits only"),
        ("Go", range("SEMVER", "yesterday"), "\"yesterday\" is no version of Go"),
        ("Go", range("SEMVER", "99999999999999999999.0.0"), "is no version of Go"),
        ("Debian:13", range("ECOSYSTEM", "1_2"), "\"1_2\" is no version of Debian:13"),
        ("Hex", range("ECOSYSTEM", "1.0"), "the ecosystem \"Hex\" cannot be compared"),
    ] {
        let reason = undecided(&about(ecosystem, &ranges, &Value::Null), "1.0.0");
        assert!(reason.contains(wanted), "{reason}");
    }
    // Another range decides, if it holds the version.
    let both = json!([{"type": "REVISION", "events": [{"introduced": "0"}]}, {"type": "SEMVER", "events": [{"introduced": "1.0.0"}]}]);
    assert_eq!(verdict(&about("Go", &both, &Value::Null), "1.0.0"), Some(vec![]));
    assert!(undecided(&about("Go", &both, &Value::Null), "0.9.0").contains("REVISION"));
    // Commits stand beside versions for those who have the history.
    let beside = json!([{"type": "GIT", "events": [{"introduced": "0"}]}, {"type": "SEMVER", "events": [{"introduced": "1.0.0"}]}]);
    assert_eq!(verdict(&about("Go", &beside, &Value::Null), "0.9.0"), None);
    assert_eq!(
        verdict(&about("Hex", &range("ECOSYSTEM", "1.0"), &json!(["1.0.0"])), "1.0.0"),
        Some(vec![]),
        "by its name"
    );
}

fn named(id: &str, aliases: &[&str]) -> Advisory {
    let affected = json!([{"package": {"ecosystem": "Go", "name": "example"}}]);
    osv::parse(&json!({"id": id, "aliases": aliases, "affected": affected}).to_string()).unwrap()
}

#[test]
fn names_of_one_flaw_make_one_group_in_a_cycle_too() {
    let database = Database::new(vec![
        named("A-1", &["B-1", "A-1"]),
        named("B-1", &["C-1"]),
        named("C-1", &["A-1", "CVE-2026-1"]),
        named("D-1", &["CVE-2026-2"]),
        named("E-1", &["CVE-2026-2", "CVE-2026-3"]),
        named("F-1", &[]),
    ]);
    let subjects = [subject("Go", "example", "v1.0.0"), subject("Go", "example", "v2.0.0")];
    let groups = group(findings(&database, &subjects, LINUX));
    let names: Vec<_> = groups.iter().map(|group| group.names.iter().copied().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(names[..3], ["A-1 B-1 C-1 CVE-2026-1", "CVE-2026-2 CVE-2026-3 D-1 E-1", "F-1"]);
    assert_eq!((groups.len(), groups[0].findings.len()), (6, 3));
}

#[test]
fn of_two_documents_by_one_name_the_newer_counts() {
    let dated = |modified: &str| Advisory { modified: Some(modified.into()), ..named("A-1", &[modified]) };
    for order in [["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"], ["2026-03-01T00:00:00Z", "2026-01-01T00:00:00Z"]] {
        let database = Database::new(order.map(dated).to_vec());
        assert_eq!((database.advisories().len(), database.newest()), (1, Some("2026-03-01")));
        assert_eq!(database.advisories()[0].aliases, ["2026-03-01T00:00:00Z"]);
    }
}

#[test]
fn several_entries_for_a_package_are_one_finding() {
    let entry = |from: &str, to: &str, symbol: &str| {
        json!({"package": {"ecosystem": "Go", "name": "example"},
               "ranges": [{"type": "SEMVER", "events": [{"introduced": from}, {"fixed": to}]}],
               "ecosystem_specific": {"imports": [{"path": "example/p", "symbols": [symbol]}]}})
    };
    let affected = [entry("1.0.0", "1.5.0", "F"), entry("1.2.0", "1.6.0", "T.G"), entry("2.0.0", "2.1.0", "H")];
    let database = Database::new(vec![osv::parse(&json!({"id": "A-1", "affected": affected}).to_string()).unwrap()]);
    let mut functions = Functions::default();
    functions.add("example/p.F", true);
    functions.add("example/p.(*T).G", true);
    functions.add("example/p.H", true);
    let found =
        findings(&database, &[Subject { functions: Some(&functions), ..subject("Go", "example", "v1.3.0") }], None);
    let names = |state: &State| match state {
        State::Linked(symbols) => symbols.iter().filter_map(|symbol| symbol.name.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (found.len(), found[0].fixed.join(" "), names(&found[0].state)),
        (1, "1.5.0 1.6.0".into(), vec!["F".into(), "T.G".into()])
    );
}

proptest! {
    /// Ranges with an end for each beginning: the answer is that of counting.
    #[test]
    fn a_version_is_affected_where_the_last_event_before_it_began_a_range(
        events in proptest::collection::btree_map(0_u64..30, any::<bool>(), 0..8), version in 0_u64..31,
    ) {
        let list: Vec<Value> = events
            .iter()
            .map(|(at, begins)| json!({ (if *begins { "introduced" } else { "fixed" }): format!("{at}.0.0") }))
            .rev()
            .collect();
        let database = about("Go", &json!([{"type": "SEMVER", "events": list}]), &Value::Null);
        let wanted = events.range(..=version).next_back().is_some_and(|(_, begins)| *begins);
        prop_assert_eq!(verdict(&database, &format!("{version}.0.0")).is_some(), wanted);
    }
}
