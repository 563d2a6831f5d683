//! Documents, good and bad.

use super::*;

fn osv_error(document: &str) -> String {
    osv::parse(document).unwrap_err()
}

fn rustsec_error(document: &str) -> String {
    rustsec::parse(document, false).unwrap_err()
}

#[test]
fn a_document_of_the_newest_schema_is_read() {
    let document = json!({
        "schema_version": "1.7.3",
        "id": "DEBIAN-CVE-2026-1",
        "modified": "2026-02-03T04:05:06Z",
        "upstream": ["CVE-2026-1"],
        "aliases": null,
        "details": "\n  First line\twith a tab.\nSecond.",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}, {"type": "FROM_LATER", "score": "red"}],
        "affected": [
            {"package": {"ecosystem": "Debian:13", "name": "linux", "purl": "pkg:deb/debian/linux?arch=source"},
             "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}], "database_specific": {}}],
             "ecosystem_specific": {"urgency": "not yet assigned"}},
            {"ranges": [{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]},
        ],
        "references": [{"type": "ADVISORY", "url": "https://example.com/1"}],
        "of_a_later_schema": {"x": [1]},
    });
    let advisory = osv::parse(&document.to_string()).unwrap();
    assert_eq!((advisory.aliases, advisory.upstream), (vec!["CVE-2026-1".to_owned()], vec!["CVE-2026-1".to_owned()]));
    assert_eq!(
        (advisory.summary.as_str(), advisory.url.as_deref()),
        ("First line with a tab.", Some("https://example.com/1"))
    );
    assert_eq!((advisory.rating.severity, advisory.rating.score), (Severity::High, Some(7.5)));
    assert_eq!((advisory.affected.len(), advisory.affected[0].severity), (1, None), "what names no package");
    assert_eq!(advisory.affected[0].purl.as_deref(), Some("pkg:deb/debian/linux?arch=source"));
}

/// A document about several flaws is none of them.
#[test]
fn several_flaws_upstream_are_no_aliases() {
    let advisory = osv::parse(&json!({"id": "DSA-1", "upstream": ["CVE-2026-1", "CVE-2026-2"]}).to_string()).unwrap();
    assert!(advisory.aliases.is_empty() && advisory.upstream.len() == 2);
}

/// In the shape of RustSec's export: what is unmaintained is so whichever of the two formats says it.
#[test]
fn what_rustsec_calls_informational_is_so_in_its_osv_documents_too() {
    let entry = |ecosystem: &str, informational: Value| {
        json!({"package": {"ecosystem": ecosystem, "name": "example"},
               "database_specific": {"categories": [], "cvss": null, "informational": informational}})
    };
    let kind =
        |affected: &[Value]| osv::parse(&json!({"id": "A-1", "affected": affected}).to_string()).unwrap().informational;
    let unmaintained = || entry("crates.io", json!("unmaintained"));
    assert_eq!(kind(&[unmaintained()]).as_deref(), Some("unmaintained"));
    let markdown = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"example\"\ndate = \"2026-01-02\"\n\
        informational = \"unmaintained\"\n[versions]\npatched = []\n```\n\n# Example is unmaintained\n";
    assert_eq!(rustsec::parse(markdown, false).unwrap().informational.as_deref(), Some("unmaintained"));
    // Of all that the document is about, in a database that has that word, and as a word.
    for affected in [
        vec![unmaintained(), entry("crates.io", Value::Null)],
        vec![entry("Go", json!("unmaintained"))],
        vec![entry("crates.io", json!(["unmaintained"]))],
        vec![],
    ] {
        assert_eq!(kind(&affected), None, "{affected:?}");
    }
}

#[test]
fn a_databases_own_words_for_severity_count() {
    for (place, word, severity) in [
        ("database_specific", json!("MODERATE"), Severity::Medium),
        ("ecosystem_specific", json!("CRITICAL"), Severity::Critical),
        ("database_specific", json!(7), Severity::Unknown),
    ] {
        let affected = json!([{"package": {"ecosystem": "Go", "name": "example"}, (place): {"severity": word}}]);
        let document = json!({"id": "A-1", "affected": affected}).to_string();
        let database = Database::new(vec![osv::parse(&document).unwrap()]);
        assert_eq!(findings(&database, &[subject("Go", "example", "1.0.0")], None)[0].severity, severity, "{document}");
    }
    let document = json!({"id": "A-1", "database_specific": {"severity": "HIGH"}}).to_string();
    assert_eq!(osv::parse(&document).unwrap().rating.severity, Severity::High);
}

#[test]
fn a_broken_document_is_an_error_that_says_where() {
    for (document, wanted) in [
        (String::new(), "no OSV document: EOF"),
        ("[]".into(), "no OSV document: "),
        ("{\"id\": \"A\",\n \"affected\": 7}".into(), "line 2 column"),
        ("{\"id\": \"A\"".into(), "EOF"),
        (json!({"modified": "x"}).to_string(), "missing field `id`"),
        (json!({"id": "A", "schema_version": "2.0.0"}).to_string(), "schema 2.0.0, and only 1"),
        (json!({"id": "A", "affected": [{"package": {"name": "x"}}]}).to_string(), "missing field `ecosystem`"),
        (json!({"id": "A", "affected": [{"package": {"name": "x", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"begun": "1"}]}]}]}).to_string(), "unknown kind \"begun\""),
        (json!({"id": "A", "affected": [{"package": {"name": "x", "ecosystem": "Go"}, "ecosystem_specific": {"imports": [{"symbols": []}]}}]}).to_string(), "missing field `path`"),
        ("[".repeat(100_000), "no OSV document"),
        (format!("{{\"id\": \"A\", \"x\": {}", "[".repeat(100_000)), "no OSV document: EOF"),
    ] {
        let error = osv_error(&document);
        assert!(error.contains(wanted), "{}: {error}", &document[..document.len().min(80)]);
    }
}

#[test]
fn names_that_would_deceive_are_refused() {
    let with = |key: &str, value: Value| {
        let mut document =
            json!({"id": "A-1", "affected": [{"package": {"ecosystem": "Go", "name": "x"}, "versions": ["1"]}]});
        *document.pointer_mut(key).unwrap() = value;
        osv_error(&document.to_string())
    };
    for id in ["", "../../etc/passwd", "a b", "A\n1", "\u{1b}[2J", "A/1", ".A", "é", &"A".repeat(129)] {
        assert!(with("/id", json!(id)).starts_with("`id` is"), "{id}");
    }
    for name in ["x\u{1b}[31m", "x\ny", "x\u{202e}gpj", "x\u{200b}", "x\0"] {
        for key in ["/affected/0/package/name", "/affected/0/package/ecosystem", "/affected/0/versions/0"] {
            let error = with(key, json!(name));
            assert!(error.contains("characters that do not show") && !error.contains(name), "{error}");
        }
    }
    let long = json!({"id": "A-1", "summary": format!("\u{1b}[2J{}", "x".repeat(5000))}).to_string();
    let summary = osv::parse(&long).unwrap().summary;
    assert!(summary.starts_with(" [2Jxxx") && summary.ends_with("x…") && summary.chars().count() == 301, "{summary}");
}

#[test]
fn a_broken_document_of_rustsec_is_an_error_that_says_where() {
    let good = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"x\"\n[versions]\npatched = [\">= 1\"]\n```\n# T\n";
    assert_eq!(rustsec::parse(good, false).unwrap().summary, "T");
    assert!(rustsec::parse(&good.replace('\n', "\r\n"), false).is_ok());
    for (from, to, wanted) in [
        ("```toml\n", "# T\n", "line 1 is not ```toml"),
        ("\n```\n", "\n", "does not end"),
        ("package = \"x\"", "package = 7", "line 4: "),
        ("package = \"x\"\n", "", "missing field `package`"),
        ("[\">= 1\"]", "[\"newer\"]", "the requirement \"newer\""),
        ("[\">= 1\"]", "[\"\"]", "the requirement \"\""),
        ("patched", "mended", "missing field `patched`"),
        ("RUSTSEC-2026-0001", "../x", "`id` is"),
        ("\"x\"", "\"x\\u0007\"", "do not show"),
        ("id = ", "x = [[[[[[[[[[[[[[\nid = ", "line 4: "),
    ] {
        let error = rustsec_error(&good.replace(from, to));
        assert!(error.contains(wanted), "{from} → {to}: {error}");
    }
    let deep = good.replace("id = ", &format!("x = {}\nid = ", "[".repeat(100_000)));
    assert!(rustsec_error(&deep).contains("no RustSec document"));
}

/// What Cargo's own reading of a requirement accepts of released versions is what the ranges leave out.
#[test]
fn requirements_become_the_ranges_that_they_leave_open() {
    let requirements = [
        ">= 1.2.3",
        "> 1.2.3",
        "> 1.2",
        "> 1",
        "< 1.2.3",
        "<= 1.2.3",
        "<= 1.2",
        "= 1.2.3",
        "=1.2",
        "=1",
        "^1.2.3",
        "^0.2.3",
        "^0.0.3",
        "^0.0",
        "^0",
        "0.2",
        "1",
        "~1.2.3",
        "~1.2",
        "~1",
        "1.2.*",
        "1.*",
        "*",
        ">= 1.1, < 1.3",
        "< 1.3.0, >= 1.1.0",
        "> 2, < 1",
    ];
    // Three digits to the base of 5.
    let versions: Vec<String> = (0..125).map(|n| format!("{}.{}.{}", n / 25, n / 5 % 5, n % 5)).collect();
    for pair in requirements.iter().flat_map(|a| requirements.iter().map(move |b| [*a, *b])) {
        let [patched, unaffected] = pair;
        let document = format!(
            "```toml\n[advisory]\nid = \"A\"\npackage = \"x\"\n[versions]\npatched = [\"{patched}\"]\nunaffected = [\"{unaffected}\"]\n```\n"
        );
        let database = Database::new(vec![rustsec::parse(&document, false).unwrap()]);
        let safe = pair.map(|text| semver::VersionReq::parse(text).unwrap());
        for version in &versions {
            let parsed = semver::Version::parse(version).unwrap();
            let wanted = !safe.iter().any(|requirement| requirement.matches(&parsed));
            assert_eq!(verdict(&database, version).is_some(), wanted, "{version} by {pair:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_an_advisory_or_an_error(text: String) {
        let _ = (osv::parse(&text), rustsec::parse(&text, false), rustsec::parse(&format!("```toml\n{text}\n```\n# x"), true));
    }

    #[test]
    fn any_cut_of_a_document_is_an_error(cut in 0_usize..1400) {
        let text = fs::read_to_string(samples().join("go/GO-2022-0956.json")).unwrap();
        prop_assert!(osv::parse(&text[..cut]).is_err());
    }

    #[test]
    fn any_requirement_has_an_answer(patched in "[<>=^~ ]{0,2}[0-9]{1,20}(\\.[0-9*]{1,2}){0,3}(-[a-z0-9.]{1,4})?", version in "[0-9]{1,2}\\.[0-9]\\.[0-9](-a)?") {
        let document = format!("```toml\n[advisory]\nid = \"A\"\npackage = \"x\"\n[versions]\npatched = [\"{patched}\"]\n```\n");
        if let Ok(advisory) = rustsec::parse(&document, false) {
            let _ = verdict(&Database::new(vec![advisory]), &version);
        }
    }
}
