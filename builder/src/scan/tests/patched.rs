//! Flaws of Linux that Debian mended by patches of its own.

use orlop_config::definition::Gates;

use super::*;

/// Debian's kernel, of which its changelog names one flaw as fixed.
fn kernel() -> Inventory {
    let package = Package {
        otherwise: Some(Identity { ecosystem: "Linux".into(), name: "Kernel".into(), version: Some("6.12.48".into()) }),
        ..package("Debian:13", "linux", "6.12.48-2", "/usr/lib/modules/kernel")
    };
    let patches = Patches::from([("CVE-2026-0001".to_owned(), "6.12.48-2".to_owned())]);
    Inventory { patched: [("kernel".to_owned(), patches)].into(), ..inventory(vec![package]) }
}

fn about(id: &str, aliases: &[&str], ecosystem: &str, kind: &str) -> Value {
    let (name, fixed) = if ecosystem == "Linux" { ("Kernel", "6.12.50") } else { ("linux", "6.12.57-1") };
    json!({"id": id, "aliases": aliases, "modified": "2026-01-02T00:00:00Z", "affected": [{
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
}

/// What was found, how many failures there are, and how that is shown.
fn judged(documents: &[Value]) -> (Vec<String>, usize, String) {
    let mut report = scan(&kernel(), &made_up(documents)).unwrap();
    gate(&mut report, &Gates::default());
    let found = report.findings.iter().map(|found| format!("{} {}", found.id, found.outcome.word())).collect();
    (found, report.failures.len(), table(&report))
}

#[test]
fn what_the_changelog_names_as_fixed_is_shown_counted_and_passes() {
    let documents =
        [about("CVE-2026-0001", &[], "Linux", "ECOSYSTEM"), about("CVE-2026-0002", &[], "Linux", "ECOSYSTEM")];
    let (found, failures, text) = judged(&documents);
    assert_eq!(found, ["CVE-2026-0002 affected", "CVE-2026-0001 patched"]);
    assert_eq!(failures, 1, "the other one fails: {text}");
    assert!(text.contains("patched: the distribution's changelog names it as fixed in 6.12.48-2"), "{text}");
    assert!(text.contains("1 affected, 0 undecided, 0 not-linked, 0 other-platform, 1 patched"), "{text}");
    let report = scan(&kernel(), &made_up(&documents[..1])).unwrap();
    let analysis = &cyclonedx::document(&report)["vulnerabilities"][0]["analysis"];
    assert_eq!(analysis["state"], "resolved", "{analysis}");
}

#[test]
fn a_record_of_commits_alone_is_decided_by_the_changelog() {
    let commits = |id: &str| about(id, &[], "Linux", "GIT");
    let (found, failures, _) = judged(&[commits("CVE-2026-0001"), commits("CVE-2026-0002")]);
    assert_eq!(found, ["CVE-2026-0002 undecided", "CVE-2026-0001 patched"]);
    assert_eq!(failures, 1);
}

#[test]
fn of_a_finding_that_is_several_flaws_each_must_be_named() {
    let (found, failures, _) = judged(&[about("X-1", &["CVE-2026-0001", "CVE-2026-0002"], "Linux", "ECOSYSTEM")]);
    assert_eq!((found.join(" "), failures), ("X-1 affected".into(), 1));
    let (found, failures, _) = judged(&[about("X-1", &["CVE-2026-0001"], "Linux", "ECOSYSTEM")]);
    assert_eq!((found.join(" "), failures), ("X-1 patched".into(), 0));
    let (found, ..) = judged(&[about("X-1", &[], "Linux", "ECOSYSTEM")]);
    assert_eq!(found, ["X-1 affected"], "a flaw without a CVE is in no changelog");
}

/// Debian knows whether its patch was all of it.
#[test]
fn what_debians_own_records_say_of_its_kernel_counts() {
    let (found, failures, _) = judged(&[about("CVE-2026-0001", &[], "Debian:13", "ECOSYSTEM")]);
    assert_eq!((found.join(" "), failures), ("CVE-2026-0001 affected".into(), 1));
}

#[test]
fn another_components_changelog_says_nothing_of_this_one() {
    let mut kernel = kernel();
    let patches = kernel.patched.remove("kernel").unwrap();
    kernel.patched.insert("stub".into(), patches);
    let report = scan(&kernel, &made_up(&[about("CVE-2026-0001", &[], "Linux", "ECOSYSTEM")])).unwrap();
    assert_eq!(report.findings[0].outcome, Outcome::Affected);
}
