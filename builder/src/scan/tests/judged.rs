//! What is found, and how it is shown.

use super::*;

#[test]
fn one_flaw_in_two_programs_is_one_finding_with_two_places() {
    let report = report(yaml(), &database());
    let [found] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(
        (&*found.id, found.outcome, &found.fixed[..]),
        ("GO-2022-0956", Outcome::Linked, &["2.2.4".to_owned()][..])
    );
    assert!(found.names.contains("CVE-2022-3064"));
    let places: Vec<_> = found.places.iter().map(|place| (&*place.path, place.outcome)).collect();
    assert_eq!(places, [("/usr/bin/containerd", Outcome::NotLinked), ("/usr/bin/kubelet", Outcome::Linked)]);
    assert_eq!(found.places[1].functions, ["gopkg.in/yaml.v2.Unmarshal"]);
    assert!(found.places[1].next.contains("a release of `kubelet` that has gopkg.in/yaml.v2 2.2.4 or newer"));
}

#[test]
fn the_worst_comes_first_and_nothing_is_hidden() {
    let packages = vec![
        package("Go", "golang.org/x/sys", "v0.35.0", "/usr/bin/a"),
        with(package("Go", "gopkg.in/yaml.v2", "v2.2.3", "/usr/bin/b"), &["gopkg.in/yaml%2ev2.Marshal"]),
        package("Go", "stdlib", "(devel)", "/usr/bin/c"),
        package("crates.io", "tar", "0.4.44", "/usr/bin/d"),
        with(package("Go", "stdlib", "1.22.1", "/usr/bin/e"), &["net/http.(*Client).Do", "main.main"]),
    ];
    let report = report(packages, &database());
    let outcomes: Vec<_> = report.findings.iter().map(|found| (found.outcome.word(), &*found.package.name)).collect();
    assert!(outcomes.is_sorted_by_key(|(word, _)| {
        ["linked", "affected", "undecided", "not-linked", "other-platform"].iter().position(|known| known == word)
    }));
    for wanted in [
        ("linked", "stdlib"),
        ("affected", "tar"),
        ("undecided", "stdlib"),
        ("not-linked", "gopkg.in/yaml.v2"),
        ("other-platform", "golang.org/x/sys"),
    ] {
        assert!(outcomes.contains(&wanted), "{wanted:?} in {outcomes:?}");
    }
    let text = table(&report);
    for found in &report.findings {
        assert!(text.contains(&found.id) && text.contains(&found.package.name), "{text}");
    }
    assert!(text.contains("1 not-linked, 1 other-platform"), "{text}");
    assert!(
        text.contains("build `e` with Go 1.22.2 or newer: `orlop lock DEFINITION --update toolchain.go`"),
        "{text}"
    );
    assert!(text.contains("medium 5.1  RUSTSEC-2026-0067"), "{text}");
}

#[test]
fn the_order_of_packages_and_of_databases_changes_nothing() {
    let packages = || {
        let mut packages = yaml();
        packages.push(package("crates.io", "tar", "0.4.44", "/usr/bin/d"));
        packages.push(package("Go", "stdlib", "1.22.1", "/usr/bin/e"));
        packages
    };
    let mut backwards = packages();
    backwards.reverse();
    let (one, other) = (report(packages(), &database()), report(backwards, &database()));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
    assert_eq!(table(&one), table(&other));
    // Databases are listed as they were named; what is found by them is the same.
    let [first, second] = ["go", "rustsec"].map(|name| samples().join(name));
    let by = |paths: [PathBuf; 2]| report(packages(), &Database::load(&paths).unwrap()).findings;
    let findings = by([first.clone(), second.clone()]);
    assert_eq!(findings, by([second, first]));
    assert_eq!(findings, one.findings);
}

/// A command is named where it brings the fixed version; where nobody knows that without a network, another is.
#[test]
fn what_to_do_names_the_command_that_brings_the_fixed_version() {
    let next = |name: &str, version: &str| {
        let mut package = package("Go", name, version, "/usr/bin/a");
        package.by.version = "v1.4.9".into();
        let report = report(vec![package], &made_up(&[about("A-1", &[], &Value::Null)]));
        report.findings[0].places[0].next.clone()
    };
    let own = next("example.com/m", "v1.4.9");
    assert!(own.contains("then `orlop lock DEFINITION --update a`") && own.contains("into the definition"), "{own}");
    let other = next("example.com/m", "v1.4.8");
    assert!(other.contains("`orlop watch DEFINITION` tells") && !other.contains("orlop lock"), "{other}");
    let mut document = about("A-1", &[], &Value::Null);
    document["affected"][0]["ranges"][0]["events"][1]["fixed"] = json!("1.4.10");
    let mut package = package("Go", "example.com/m", "v1.4.9", "/usr/bin/a");
    package.by.version = "v1.4.9".into();
    let report = report(vec![package], &made_up(&[document]));
    let patch = &report.findings[0].places[0].next;
    assert!(patch.contains("take `a` in 1.4.10 or newer: `orlop lock DEFINITION --update a`"), "{patch}");
}

fn about(id: &str, aliases: &[&str], imports: &Value) -> Value {
    json!({"id": id, "published": "2026-01-02T00:00:00Z", "aliases": aliases, "affected": [{
        "package": {"ecosystem": "Go", "name": "example.com/m"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.5.0"}]}],
        "ecosystem_specific": {"imports": imports}}]})
}

/// Databases repeat each other, and only Go's own knows the functions.
#[test]
fn what_knows_the_functions_speaks_for_what_repeats_it() {
    let imports = json!([{"path": "example.com/m", "symbols": ["Bad"]}]);
    let state = |repeated: &[&str], function: &str| {
        let database =
            made_up(&[about("GO-1", &["CVE-1", "GHSA-1"], &imports), about("GHSA-1", repeated, &Value::Null)]);
        let package = with(package("Go", "example.com/m", "v1.0.0", "/usr/bin/a"), &[function]);
        let report = report(vec![package], &database);
        (report.findings.len(), report.findings[0].outcome)
    };
    assert_eq!(state(&["CVE-1"], "example.com/m.Good"), (1, Outcome::NotLinked));
    assert_eq!(state(&["CVE-1"], "example.com/m.Bad"), (1, Outcome::Linked));
    // Two that share a name only, and may be two flaws: the one of which nothing is known counts.
    let database = made_up(&[about("GO-1", &["CVE-1"], &imports), about("GHSA-2", &["CVE-1"], &Value::Null)]);
    let package = with(package("Go", "example.com/m", "v1.0.0", "/usr/bin/a"), &["example.com/m.Good"]);
    assert_eq!(report(vec![package], &database).findings[0].outcome, Outcome::Affected);
}

#[test]
fn names_that_lead_in_a_circle_are_one_finding() {
    let database = made_up(&[
        about("A-1", &["B-1"], &Value::Null),
        about("B-1", &["C-1"], &Value::Null),
        about("C-1", &["A-1"], &Value::Null),
    ]);
    let report = report(vec![package("Go", "example.com/m", "v1.0.0", "/usr/bin/a")], &database);
    assert_eq!((report.findings.len(), report.findings[0].names.len()), (1, 3));
}

#[test]
fn a_range_that_cannot_be_judged_is_undecided_and_counts() {
    let mut document = about("A-1", &[], &Value::Null);
    document["affected"][0]["ranges"][0]["type"] = json!("REVISION");
    let report = report(vec![package("Go", "example.com/m", "v1.0.0", "/usr/bin/a")], &made_up(&[document]));
    let [found] = &report.findings[..] else { panic!("{report:?}") };
    assert!(found.outcome == Outcome::Undecided && found.outcome.counts());
    assert!(table(&report).contains("undecided: the advisory has a range of the unknown type \"REVISION\""));
}

#[test]
fn a_kernel_is_debians_where_debian_is_known_and_a_release_of_linux_elsewhere() {
    let kernel = || Package {
        otherwise: Some(Identity { ecosystem: "Linux".into(), name: "Kernel".into(), version: Some("6.12.48".into()) }),
        ..package("Debian:13", "linux", "6.12.48-1", "/usr/lib/modules/kernel")
    };
    let document = |id: &str, ecosystem: &str, name: &str, kind: &str, fixed: &str| {
        json!({"id": id, "modified": "2026-01-02T00:00:00Z", "affected": [{
            "package": {"ecosystem": ecosystem, "name": name},
            "ranges": [{"type": kind, "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
    };
    let debian = document("DEBIAN-CVE-1", "Debian:13", "linux", "ECOSYSTEM", "6.12.57-1");
    let linux = document("CVE-2", "Linux", "Kernel", "ECOSYSTEM", "6.12.50");
    let ids = |documents: &[Value]| {
        let report = report(vec![kernel()], &made_up(documents));
        report.findings.iter().map(|found| (found.id.clone(), found.places[0].next.clone())).collect::<Vec<_>>()
    };
    let found = ids(&[debian, linux.clone()]);
    assert!(found.len() == 1 && found[0].0 == "DEBIAN-CVE-1", "{found:?}");
    assert!(found[0].1.contains("once Debian has linux 6.12.57-1"), "{found:?}");
    assert_eq!(ids(&[linux])[0].0, "CVE-2");
    // Of another release than this one nothing is known.
    let old = document("DEBIAN-CVE-3", "Debian:12", "linux", "ECOSYSTEM", "6.12.57-1");
    let error = scan(&inventory(vec![kernel()]), &made_up(&[old])).unwrap_err();
    assert!(error.to_string().contains("it has packages of Debian:13, and the databases are about Debian;"), "{error}");
}

#[test]
fn an_ecosystem_that_no_database_knows_is_said_and_all_of_them_are_an_error() {
    let go = made_up(&[about("A-1", &[], &Value::Null)]);
    let crates = || package("crates.io", "tar", "0.4.44", "/usr/bin/d");
    let report = report(vec![crates(), package("Go", "example.com/m", "v2.0.0", "/usr/bin/a")], &go);
    assert!(report.findings.is_empty());
    let text = table(&report);
    assert!(text.contains("crates.io: 1 package, and no database says anything about this ecosystem"), "{text}");
    assert!(text.ends_with("nothing was found; 1 cannot be judged"), "{text}");
    let error = scan(&inventory(vec![crates()]), &go).unwrap_err();
    assert!(error.to_string().contains("it has packages of crates.io, and the databases are about Go;"), "{error}");
}

#[test]
fn an_image_that_says_nothing_is_not_one_in_which_nothing_was_found() {
    let report = report(Vec::new(), &database());
    assert!(table(&report).contains("edge: nothing in it says what it is made of"), "{}", table(&report));
}

#[test]
fn hostile_names_are_shown_as_what_they_are() {
    let packages = vec![package("Go", "gopkg.in/yaml.v2", "v2.2.3", "/usr/bin/\u{1b}[2J\u{202e}x")];
    let mut inventory = inventory(packages);
    let what = "/\u{1b}]0;y\u{7}".to_owned();
    inventory.unjudged.push(Unjudged { what, component: "\n".into(), reason: "\u{9b}2J".into() });
    let text = table(&scan(&inventory, &database()).unwrap());
    let shows = |character: char| character == '\n' || !(character.is_control() || character == '\u{202e}');
    assert!(text.chars().all(shows), "{text:?}");
    assert!(text.contains(r"\u{1b}[2J\u{202e}x"), "{text}");
}

#[test]
fn package_urls_are_those_of_the_standard() {
    for (ecosystem, name, version, wanted) in [
        ("Go", "golang.org/x/net", "v0.35.0", Some("pkg:golang/golang.org/x/net@v0.35.0")),
        ("Go", "a.b/c", "v2.0.0+incompatible", Some("pkg:golang/a.b/c@v2.0.0%2Bincompatible")),
        ("crates.io", "tar", "0.4.44", Some("pkg:cargo/tar@0.4.44")),
        ("Debian:13", "linux", "6.12.48-1", Some("pkg:deb/debian/linux@6.12.48-1?arch=source")),
        ("Linux", "Kernel", "6.12.48", Some("pkg:generic/linux@6.12.48")),
        ("Hex", "x", "1", None),
    ] {
        assert_eq!(package(ecosystem, name, version, "/x").identity.purl().as_deref(), wanted);
    }
}
