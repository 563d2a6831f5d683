//! OpenVEX documents, good and bad.

use orlop_config::definition::Gates;
use proptest::prelude::*;

use super::*;
use crate::scan::vex::{self, Status};

const TODAY: &str = "2026-09-01";

/// A document of one statement about the flaw that [`yaml`] has.
fn document(change: impl FnOnce(&mut Value)) -> String {
    let mut statement = json!({
        "vulnerability": {"name": "CVE-2022-3064"},
        "products": [{"@id": "pkg:generic/edge", "subcomponents": [{"@id": "pkg:golang/gopkg.in/yaml.v2@v2.2.3"}]}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        "status_notes": "expires 2026-12-31: only files of the image are read",
    });
    change(&mut statement);
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "team",
        "timestamp": "2026-08-21T00:00:00Z",
        "version": 1,
        "statements": [statement],
    })
    .to_string()
}

/// The report with this document laid over it, and with the default gates.
fn judged(text: &str) -> Report {
    let mut report = report(yaml(), &database());
    laid_over(&mut report, text, &Gates::default());
    gate(&mut report, &Gates::default());
    report
}

fn laid_over(report: &mut Report, text: &str, gates: &Gates) {
    let exceptions = vex::parse("edge.vex.json", text).unwrap();
    vex::apply(report, &exceptions, gates, Today::parse(TODAY).unwrap());
}

/// What of a report fails.
fn failures(report: &Report) -> Vec<String> {
    report.failures.iter().map(|failure| failure.what.clone()).collect()
}

/// Why exceptions were passed over.
fn passed_over(report: &Report) -> Vec<&str> {
    report.passed_over.iter().map(|passed| passed.reason.as_str()).collect()
}

/// Places that an exception covers, and what fails.
fn outcome(change: impl FnOnce(&mut Value)) -> (usize, Vec<String>) {
    let report = judged(&document(change));
    let covered = report.findings[0].places.iter().filter(|place| place.exception.is_some()).count();
    assert!(report.passed_over.is_empty(), "{:?}", report.passed_over);
    (covered, failures(&report))
}

fn products(products: Value) -> impl FnOnce(&mut Value) {
    move |statement| statement["products"] = products
}

#[test]
fn an_exception_excuses_and_hides_nothing() {
    let without = judged(&document(|statement| statement["products"][0]["@id"] = json!("pkg:generic/other")));
    assert_eq!(without.failures.len(), 1, "the other image's statement is not about this one");
    assert_eq!(passed_over(&without), ["neither the image nor a component that brought packages is called other"]);
    let text = table(&without);
    let shown =
        "\npassed over\n  exception edge.vex.json, statement 1 (CVE-2022-3064, not_affected): neither the image";
    assert!(text.contains(shown) && text.ends_with("; 1 passed over; 1 fail"), "{text}");
    let notes = sarif::document(&without, &sarif::Locations::default())["runs"][0]["invocations"].to_string();
    assert!(notes.contains("is passed over: neither the image") && notes.contains(r#""level":"note""#), "{notes}");
    let report = judged(&document(|_| {}));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    let exempt = report.findings[0].places[1].exception.as_ref().unwrap();
    assert_eq!((exempt.statement, exempt.status, &*exempt.expires), (1, Status::NotAffected, "2026-12-31"));
    let text = table(&report);
    let shown = "excepted until 2026-12-31 as not_affected, vulnerable_code_not_in_execute_path (edge.vex.json, statement 1): \
                 only files of the image are read";
    assert!(text.contains("GO-2022-0956") && text.contains(shown), "{text}");
    let counts = "1 linked, 0 affected, 0 undecided, 0 not-linked, 0 other-platform, 0 patched; 1 excepted";
    assert!(text.ends_with(counts), "{text}");
}

/// The bill of materials of an image says which component has what: exceptions about one hold, and are checked for need.
#[test]
fn over_our_own_list_of_an_image_exceptions_about_components_hold_and_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.cdx.json");
    let owner = |key: &str| {
        json!({"type": "application", "bom-ref": format!("component:{key}"), "name": key, "version": "1.0",
               "purl": format!("pkg:generic/{key}@1.0"),
               "properties": [{"name": "orlop:component", "value": key}],
               "components": [{"type": "file", "bom-ref": format!("file:root/usr/bin/{key}"), "name": key}]})
    };
    let yaml = json!({"type": "library", "name": "gopkg.in/yaml.v2", "version": "v2.2.3",
        "purl": "pkg:golang/gopkg.in/yaml.v2@v2.2.3", "evidence": {"occurrences": [{"location": "root/usr/bin/kubelet"}]}});
    let fine = json!({"type": "library", "name": "fine", "version": "1.0.0", "purl": "pkg:cargo/fine@1.0.0",
        "evidence": {"occurrences": [{"location": "root/usr/bin/init"}]}});
    let list = json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": {"component": {"type": "operating-system", "name": "edge", "version": "1.4.0"}},
        "components": [owner("kubelet"), owner("init"), yaml, fine]});
    std::fs::write(&path, list.to_string()).unwrap();
    let judged = |component: &str| {
        let products = products(json!([{"@id": format!("pkg:generic/{component}")}]));
        let mut report = scan(&packages::of_sbom(&path).unwrap(), &database()).unwrap();
        laid_over(&mut report, &document(products), &Gates::default());
        let [found] = &report.findings[..] else { panic!("{:?}", report.findings) };
        (found.places[0].exception.is_some(), failures(&report), passed_over(&report).len())
    };
    assert_eq!(judged("kubelet"), (true, Vec::new(), 0));
    // Nothing was found in it.
    let (held, failures, passed_over) = judged("init");
    assert!(!held && failures.len() == 1 && failures[0].contains("needless") && passed_over == 0, "{failures:?}");
    // No component of the image: a document may be shared, and what is passed over is shown.
    assert_eq!(judged("runcc"), (false, Vec::new(), 1));
}

/// What the gates pass by themselves needs no exception, which would excuse it in the next build, when it is worse.
#[test]
fn an_exception_about_what_passes_without_it_is_needless() {
    let about = |package: &str, flaw: &str| {
        document(|statement| {
            statement["products"] = json!([{"@id": package}]);
            statement["vulnerability"]["name"] = json!(flaw);
        })
    };
    let of = |mut report: Report, text: &str, gates: &Gates| {
        laid_over(&mut report, text, gates);
        failures(&report)
    };
    let needless = |failures: &[String], outcome: &str| {
        let [failure] = failures else { panic!("{outcome}: {failures:?}") };
        let end = format!("needless: what it is about is {outcome}, and the gates pass that");
        assert!(failure.ends_with(&end), "{failure}");
    };
    // Not linked: of one program, where the other one has the functions.
    let text = about("pkg:generic/containerd", "CVE-2022-3064");
    let gates = Gates::default();
    let strict = Gates { not_linked: true, ..Gates::default() };
    needless(&of(report(yaml(), &database()), &text, &gates), "not-linked");
    assert_eq!(of(report(yaml(), &database()), &text, &strict), Vec::<String>::new(), "the gates fail it");
    // Of both, it is needed for the one.
    let both = about("pkg:golang/gopkg.in/yaml.v2", "CVE-2022-3064");
    assert_eq!(of(report(yaml(), &database()), &both, &gates), Vec::<String>::new());
    // On another platform.
    let sys = report(vec![package("Go", "golang.org/x/sys", "v0.35.0", "/usr/bin/a")], &database());
    let text = about("pkg:golang/golang.org/x/sys", &sys.findings[0].id);
    needless(&of(sys, &text, &strict), "other-platform");
    // Mended by the distribution.
    let kernel = Package {
        otherwise: Some(Identity { ecosystem: "Linux".into(), name: "Kernel".into(), version: Some("6.12.48".into()) }),
        ..package("Debian:13", "linux", "6.12.48-2", "/usr/lib/modules/kernel")
    };
    let mended = Patches::from([("CVE-2026-0001".to_owned(), "6.12.48-2".to_owned())]);
    let inventory = Inventory { patched: [("kernel".to_owned(), mended)].into(), ..inventory(vec![kernel]) };
    let range = json!({"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "6.12.50"}]});
    let affected = json!([{"package": {"ecosystem": "Linux", "name": "Kernel"}, "ranges": [range]}]);
    let database = made_up(&[json!({"id": "CVE-2026-0001", "modified": "2026-01-02T00:00:00Z", "affected": affected})]);
    let report = scan(&inventory, &database).unwrap();
    needless(&of(report, &about("pkg:generic/linux", "CVE-2026-0001"), &gates), "patched");
}

#[test]
fn products_are_images_components_and_packages() {
    for (named, covered) in [
        (json!([{"@id": "pkg:generic/edge"}]), 2),
        (json!([{"@id": "pkg:generic/edge@1.4.0"}]), 2),
        (json!([{"@id": "pkg:golang/gopkg.in/yaml.v2"}]), 2),
        (json!([{"@id": "urn:x", "identifiers": {"purl": "pkg:golang/gopkg.in/YAML.v2@2.2.3"}}]), 2),
        (json!([{"@id": "pkg:generic/kubelet@1.0"}]), 1),
        (json!([{"@id": "pkg:generic/kubelet", "subcomponents": [{"@id": "pkg:golang/gopkg.in/yaml.v2"}]}]), 1),
    ] {
        assert_eq!(outcome(products(named.clone())), (covered, vec![]), "{named}");
    }
    // Another version, another package, another component.
    for named in [
        json!([{"@id": "pkg:generic/edge@1.4.1"}]),
        json!([{"@id": "pkg:golang/gopkg.in/yaml.v2@v2.2.2"}]),
        json!([{"@id": "pkg:cargo/gopkg.in/yaml.v2"}]),
        json!([{"@id": "pkg:generic/edge", "subcomponents": [{"@id": "pkg:golang/gopkg.in/yaml.v3"}]}]),
        json!([{"@id": "pkg:golang/gopkg.in/yaml.v2", "subcomponents": [{"@id": "pkg:golang/gopkg.in/yaml.v2"}]}]),
    ] {
        let (covered, failures) = outcome(products(named.clone()));
        assert_eq!((covered, failures.len()), (0, 2), "{named}: {failures:?}");
    }
}

#[test]
fn an_exception_that_has_expired_fails_and_excuses_nothing() {
    let on = |day: &str| outcome(|statement| statement["status_notes"] = json!(format!("expires {day}")));
    assert_eq!(on(TODAY), (2, vec![]), "its last day");
    let (covered, failures) = on("2026-08-31");
    assert_eq!((covered, failures.len()), (0, 2));
    assert_eq!(
        failures[0],
        "exception edge.vex.json, statement 1 (CVE-2022-3064, not_affected): expired on 2026-08-31"
    );
    assert!(
        failures[1].starts_with("GO-2022-0956 in gopkg.in/yaml.v2 v2.2.3 of /usr/bin/kubelet (linked"),
        "{failures:?}"
    );
}

#[test]
fn an_exception_that_is_about_nothing_fails() {
    let (covered, failures) = outcome(|statement| statement["vulnerability"]["name"] = json!("CVE-2000-1"));
    assert_eq!((covered, failures.len()), (0, 2));
    assert!(failures[0].ends_with("(CVE-2000-1, not_affected): needless: nothing that was found is what it is about"));
    // An alias is a name too.
    let alias = |statement: &mut Value| {
        statement["vulnerability"] = json!({"name": "CVE-2000-1", "aliases": ["GHSA-6q6q-88xp-6f2r"]});
    };
    assert_eq!(outcome(alias), (2, vec![]));
    // Of another ecosystem than those that were looked for, nothing can be said to be needless.
    for named in ["pkg:deb/debian/linux?distro=debian-13", "pkg:deb/debian/linux"] {
        assert_eq!(needless(named, &database()), (0, 1), "{named}");
    }
    assert_eq!(needless("pkg:deb/debian/linux", &kernel("Debian:13", "linux")), (1, 0));
}

/// Debian's kernel is looked up as Debian's or as a release of Linux: of the other nothing can be said to be needless.
#[test]
fn an_exception_is_about_the_name_that_a_package_was_looked_up_by() {
    for (named, ecosystem, name, failures) in [
        ("pkg:deb/debian/linux", "Debian:13", "linux", 1),
        ("pkg:generic/linux", "Debian:13", "linux", 0),
        ("pkg:deb/debian/linux", "Linux", "Kernel", 0),
        ("pkg:generic/linux", "Linux", "Kernel", 1),
        ("pkg:generic/std", "Linux", "Kernel", 0),
        ("pkg:generic/std", "Rust", "std", 1),
    ] {
        let passed_over = 1 - failures;
        let found = needless(named, &kernel(ecosystem, name));
        assert_eq!(found, (failures, passed_over), "{named} by documents about {ecosystem}");
    }
}

/// A database of one document, which is about no version that anybody has.
fn kernel(ecosystem: &str, name: &str) -> Database {
    let range = json!({"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.1"}]});
    let affected = json!([{"package": {"ecosystem": ecosystem, "name": name}, "ranges": [range]}]);
    made_up(&[json!({"id": "T-1", "modified": "2026-01-02T00:00:00Z", "affected": affected})])
}

/// Whether an exception about a flaw that nothing has fails or is passed over, over an image with Debian's kernel and Rust's
/// library.
fn needless(named: &str, database: &Database) -> (usize, usize) {
    let mut packages = yaml();
    packages.push(package("Rust", "std", "1.95.0", "/usr/bin/init"));
    packages.push(Package {
        otherwise: Some(Identity { ecosystem: "Linux".into(), name: "Kernel".into(), version: Some("6.12.48".into()) }),
        ..package("Debian:13", "linux", "6.12.48-1", "/usr/lib/modules")
    });
    let text = document(|statement| {
        statement["products"] = json!([{"@id": named}]);
        statement["vulnerability"]["name"] = json!("CVE-2026-1");
    });
    let mut report = report(packages, database);
    laid_over(&mut report, &text, &Gates::default());
    (report.failures.len(), report.passed_over.len())
}

/// The program has the functions, whatever a document says.
#[test]
fn an_exception_that_the_program_contradicts_fails() {
    let because = |why: &str| outcome(|statement| statement["justification"] = json!(why));
    let (covered, failures) = because("vulnerable_code_not_present");
    assert_eq!((covered, failures.len()), (1, 2));
    assert!(failures[0].ends_with("the faulty code is not there, and it is in /usr/bin/kubelet"), "{failures:?}");
    let (covered, failures) = because("component_not_present");
    assert_eq!((covered, failures.len()), (0, 2));
    assert!(failures[0].contains("it says that the package is not there"), "{failures:?}");
}

#[test]
fn every_status_is_a_decision_with_an_end() {
    for status in ["fixed", "under_investigation", "affected"] {
        let change = |statement: &mut Value| {
            statement["status"] = json!(status);
            statement["action_statement"] = json!("kubelet 1.38 has it");
            statement.as_object_mut().unwrap().remove("justification");
        };
        assert_eq!(outcome(change), (2, vec![]), "{status}");
    }
}

#[test]
fn a_statement_that_cannot_be_an_exception_says_why() {
    let set = |key: &'static str, value: Value| move |statement: &mut Value| statement[key] = value;
    let without = |key: &'static str| move |statement: &mut Value| _ = statement.as_object_mut().unwrap().remove(key);
    let error = |text: String| vex::parse("e.json", &text).unwrap_err().to_string();
    let mut empty: Value = serde_json::from_str(&document(|_| {})).unwrap();
    empty["statements"] = json!([]);
    for (text, wanted) in [
        (document(without("status_notes")), "e.json: statement 1: it has no end; begin `status_notes` with it"),
        (document(set("status_notes", json!("expires soon"))), "\"soon\" is no day"),
        (document(set("status_notes", json!("expires 2026-02-30: x"))), "\"2026-02-30\" is no day"),
        (document(set("status_notes", json!("expires 2026-12-312"))), "\"2026-12-312\" is no day"),
        (document(set("status_notes", json!("expires 2026-12-é"))), "is no day"),
        (document(without("justification")), "`not_affected` needs a `justification` of the standard's list"),
        (document(set("justification", json!("we_like_it"))), "unknown variant `we_like_it`"),
        (document(set("status", json!("fine"))), "unknown variant `fine`"),
        (document(set("status", json!("affected"))), "`affected` needs an `action_statement`"),
        (document(set("products", json!([]))), "it names no product"),
        (document(without("products")), "it names no product"),
        (document(set("products", json!([{"@id": "edge"}]))), "\"edge\" is no package URL"),
        (document(set("products", json!([{"hashes": {}}]))), "a product without a package URL"),
        (document(set("expires", json!("2026-12-31"))), "unknown field `expires`"),
        (document(|_| {}).replace("v0.2.0", "v9"), "`@context` is \"https://openvex.dev/ns/v9\""),
        (document(|_| {}).replace("\"author\"", "\"auhtor\""), "no OpenVEX document: unknown field `auhtor`"),
        (empty.to_string(), "e.json: it has no statement, and OpenVEX asks for one at least"),
        ("{".into(), "no OpenVEX document: EOF"),
    ] {
        let error = error(text);
        assert!(error.contains(wanted), "{error}\nwanted {wanted}");
    }
    let impact = document(|statement| {
        statement["impact_statement"] = json!("why");
        statement.as_object_mut().unwrap().remove("justification");
    });
    assert!(error(impact).contains("put the `impact_statement` into `status_notes`"));
}

proptest! {
    #[test]
    fn any_notes_and_products_have_an_answer(notes in "(expires )?([0-9]{4}-[0-9]{2}-[0-9]{2})?.{0,12}", product in "(pkg:generic/)?.{0,12}") {
        let text = document(|statement| {
            statement["status_notes"] = json!(notes);
            statement["products"][0]["@id"] = json!(product);
        });
        let _ = vex::parse("e.json", &text);
    }
}
