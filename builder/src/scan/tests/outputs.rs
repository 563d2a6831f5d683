//! SARIF and CycloneDX.

use orlop_config::definition::Gates;

use super::*;
use crate::scan::sarif::Locations;
use crate::scan::vex;

/// Findings of every kind, one of them with an exception.
fn everything() -> Report {
    let packages = vec![
        package("Go", "golang.org/x/sys", "v0.35.0", "/usr/bin/a"),
        package("crates.io", "tar", "0.4.44", "/usr/bin/d e"),
        package("Go", "stdlib", "(devel)", "/usr/bin/c"),
        package("Debian:13", "linux", "6.12.48-1", "/usr/lib/modules"),
    ];
    let mut report = report(packages.into_iter().chain(yaml()).collect(), &database());
    let statement = json!({
    "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "x", "timestamp": "x", "version": 1,
    "statements": [{
        "vulnerability": {"name": "RUSTSEC-2026-0067"},
        "products": [{"@id": "pkg:cargo/tar"}],
        "status": "not_affected",
        "justification": "vulnerable_code_cannot_be_controlled_by_adversary",
        "status_notes": "expires 2026-12-31: own archives only",
    }]});
    let exceptions = vex::parse("vex.json", &statement.to_string()).unwrap();
    let gates = Gates::default();
    vex::apply(&mut report, &exceptions, &gates, Today::parse("2026-09-01").unwrap());
    gate(&mut report, &gates);
    report
}

#[test]
fn sarif_has_a_rule_for_each_flaw_and_a_result_for_each_place() {
    let report = everything();
    let mut locations = Locations { file: "images/my image.toml".into(), ..Locations::default() };
    locations.add("images/my image.toml", "name = \"x\"\n\n[components.kubelet]\n  [components.\"a\".source.go]\n");
    locations.add("base.toml", "[components.kubelet]\n[components.c]\n");
    let document = sarif::document(&report, &locations);
    assert_eq!(document.to_string(), sarif::document(&everything(), &locations).to_string());
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let (rules, results) = (run["tool"]["driver"]["rules"].as_array().unwrap(), run["results"].as_array().unwrap());
    assert_eq!(results.len(), report.findings.iter().map(|found| found.places.len()).sum::<usize>());
    for result in results {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        assert_eq!(result["partialFingerprints"]["orlopFinding/v1"].as_str().unwrap().len(), 64);
    }
    let of = |id: &str, path: &str| {
        let named = |result: &&Value| {
            let name = result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap();
            result["ruleId"] == id && name.starts_with(path)
        };
        results.iter().find(named).unwrap()
    };
    let place = |result: &Value| {
        let physical = &result["locations"][0]["physicalLocation"];
        let line = physical["region"]["startLine"].as_u64().unwrap();
        format!("{}:{line}", physical["artifactLocation"]["uri"].as_str().unwrap())
    };
    let linked = of("GO-2022-0956", "/usr/bin/kubelet!");
    assert_eq!((linked["level"].as_str(), &*place(linked)), (Some("error"), "images/my%20image.toml:3"));
    assert!(linked["message"]["text"].as_str().unwrap().contains("(linked: gopkg.in/yaml.v2.Unmarshal)"));
    let not_linked = of("GO-2022-0956", "/usr/bin/containerd!");
    assert_eq!((not_linked["level"].as_str(), &*place(not_linked)), (Some("note"), "images/my%20image.toml:1"));
    let undecided = of("GO-2024-2687", "/usr/bin/c!");
    assert_eq!((undecided["level"].as_str(), &*place(undecided)), (Some("error"), "base.toml:2"));
    let excepted = of("RUSTSEC-2026-0067", "/usr/bin/d e!");
    assert_eq!(
        (excepted["level"].as_str(), excepted["suppressions"][0]["status"].as_str()),
        (Some("warning"), Some("accepted"))
    );
    let rated = rules.iter().find(|rule| rule["id"] == "RUSTSEC-2026-0067").unwrap();
    assert_eq!(rated["properties"]["security-severity"], "5.1");
    let notes = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notes.contains("Debian:13 cannot be judged: 1 package, and no database"), "{notes}");
}

/// Words of others are no placeholders (SARIF 2.1.0, 3.11.5) and no links (3.11.6).
#[test]
fn messages_of_sarif_have_neither_placeholders_nor_links() {
    let summary = r"[see](https://evil.example) {0} \](x)";
    let document = json!({"id": "T-1", "published": "2026-01-02T00:00:00Z", "summary": summary, "affected": [{
        "package": {"ecosystem": "Go", "name": "example.com/m"}}]});
    let mut inventory = inventory(vec![package("Go", "example.com/m", "v1.0.0", "/usr/bin/[a](b)")]);
    let what = "/usr/bin/{1}".to_owned();
    inventory.unjudged.push(Unjudged { what, component: String::new(), reason: "[x](y)".into() });
    let report = scan(&inventory, &made_up(&[document])).unwrap();
    let document = sarif::document(&report, &Locations::default());
    let run = &document["runs"][0];
    let escaped = r"\[see\](https://evil.example) {{0}} \\\](x)";
    assert_eq!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"], escaped);
    let message = run["results"][0]["message"]["text"].as_str().unwrap();
    assert!(message.contains(escaped) && message.contains(r"in /usr/bin/\[a\](b): "), "{message}");
    let note = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
    assert_eq!(note, r"/usr/bin/{{1}} cannot be judged: \[x\](y)");
}

#[test]
fn what_is_at_the_top_of_a_file_system_has_a_file_uri() {
    let locations = Locations { file: "/a b/x:y.raw".into(), ..Locations::default() };
    let document = sarif::document(&everything(), &locations).to_string();
    assert!(document.contains(r#""uri":"file:///a%20b/x%3Ay.raw""#), "{document}");
}

#[test]
fn cyclonedx_says_what_was_decided_about_each() {
    let report = everything();
    let document = cyclonedx::document(&report);
    assert_eq!(document, cyclonedx::document(&everything()));
    assert_eq!((document["bomFormat"].as_str(), document["specVersion"].as_str()), (Some("CycloneDX"), Some("1.6")));
    assert!(document["serialNumber"].as_str().unwrap().starts_with("urn:uuid:"));
    let components = document["components"].as_array().unwrap();
    let vulnerabilities = document["vulnerabilities"].as_array().unwrap();
    assert_eq!(vulnerabilities.len(), report.findings.len());
    for vulnerability in vulnerabilities {
        let named = &vulnerability["affects"][0]["ref"];
        assert!(components.iter().any(|component| component["bom-ref"] == *named), "{named}");
    }
    let analysis = |id: &str| {
        let found = vulnerabilities.iter().find(|vulnerability| vulnerability["id"] == id).unwrap();
        let word = |key: &str| found["analysis"][key].as_str().unwrap_or("–").to_owned();
        (word("state"), word("justification"), found["ratings"].to_string())
    };
    let (state, justification, ratings) = analysis("RUSTSEC-2026-0067");
    assert_eq!((&*state, &*justification), ("not_affected", "requires_environment"));
    assert!(ratings.contains(r#""method":"CVSSv4""#) && ratings.contains(r#""score":5.1"#), "{ratings}");
    assert_eq!(analysis("GO-2022-0956").0, "in_triage");
    let other =
        vulnerabilities.iter().find(|one| one["affects"][0]["ref"] == "pkg:golang/golang.org/x/sys@v0.35.0").unwrap();
    assert_eq!(other["analysis"]["justification"], "requires_environment");
    assert!(document["metadata"]["properties"].to_string().contains("Debian:13: 1 package, and no database"));
}
