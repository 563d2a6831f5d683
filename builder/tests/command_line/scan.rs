//! `orlop scan`, over lists of packages: which findings fail, what is written, and what cannot be read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::image::blank_disk;
use crate::support::{Desk, orlop, run, workspace};

/// Documents of the public databases.
pub fn advisories() -> PathBuf {
    workspace().join("builder/tests/advisories")
}

/// A list of packages as syft writes it: one with a flaw that nobody rated, and one of an ecosystem that no database has.
pub fn sbom(desk: &Desk) -> PathBuf {
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": {"component": {"type": "file", "name": "edge", "version": "1.4.0"}},
        "components": [
            {"type": "library", "name": "gopkg.in/yaml.v2", "version": "v2.2.3", "purl": "pkg:golang/gopkg.in/yaml.v2@v2.2.3",
             "properties": [{"name": "syft:location:0:path", "value": "/usr/bin/kubelet"}]},
            {"type": "library", "name": "left-pad", "version": "1.0.0", "purl": "pkg:npm/left-pad@1.0.0"}]});
    desk.file("edge.cdx.json", document.to_string())
}

/// `orlop scan` by the public databases' documents, which are old.
fn scan(image: &Path) -> Command {
    let mut command = orlop();
    command.arg("scan").arg(image).arg("--db").arg(advisories()).args(["--max-age", "36500"]);
    command
}

/// A database of one document.
pub fn database(desk: &Desk, name: &str, document: &Value) -> PathBuf {
    desk.file(&format!("{name}.json"), document.to_string());
    let path = desk.path(&format!("{name}.zip"));
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    zip.start_file("A-1.json", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(document.to_string().as_bytes()).unwrap();
    zip.finish().unwrap();
    path
}

/// A document about a package that no list has.
pub fn document(published: &str, ecosystem: &str) -> Value {
    json!({"id": "A-1", "published": published, "affected": [{"package": {"ecosystem": ecosystem, "name": "x"}}]})
}

fn vex(desk: &Desk, flaw: &str, expires: &str) -> PathBuf {
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "x", "timestamp": "2026-08-21T00:00:00Z",
        "version": 1,
        "statements": [{"vulnerability": {"name": flaw}, "products": [{"@id": "pkg:golang/gopkg.in/yaml.v2"}],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            "status_notes": format!("expires {expires}: x")}]});
    desk.file("edge.vex.json", document.to_string())
}

#[test]
fn a_finding_that_the_gates_fail_is_status_4_and_its_report_is_written() {
    let desk = Desk::new();
    let (sarif, cyclonedx) = (desk.path("edge.sarif"), desk.path("edge.vex.cdx.json"));
    let outcome = run(scan(&sbom(&desk)).arg("--sarif").arg(&sarif).arg("--cyclonedx").arg(&cyclonedx));
    assert_eq!(outcome.status, Some(4), "{}", outcome.stderr);
    let error = "orlop: the gates fail on 1: GO-2022-0956 in gopkg.in/yaml.v2 v2.2.3 of /usr/bin/kubelet (affected, \
                 severity unknown)\n";
    assert_eq!(outcome.stderr, error);
    assert!(outcome.stdout.contains("edge 1.4.0: 1 package, judged by 11 advisories"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("npm: 1 package, and no database"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("→ take a release of `edge` that has gopkg.in/yaml.v2 2.2.4"),
        "{}",
        outcome.stdout
    );
    for file in [sarif, cyclonedx] {
        let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert!(written.to_string().contains("GO-2022-0956"), "{written}");
    }
    let json = run(scan(&sbom(&desk)).arg("--json"));
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.status, &report["findings"][0]["places"][0]["fails"]), (Some(4), &json!(true)));
}

#[test]
fn the_definitions_gates_and_exceptions_count() {
    let desk = Desk::new();
    let gates =
        |text: &str| desk.file("edge.toml", format!("extends = \"orlop:node\"\nname = \"edge\"\n[gates]\n{text}\n"));
    let with = |definition: &Path| run(scan(&sbom(&desk)).arg("--definition").arg(definition));
    with(&gates("severities = []")).done();
    assert_eq!(with(&gates("fixable_only = true")).status, Some(4));
    vex(&desk, "CVE-2022-3064", "2999-12-31");
    let excepted = with(&gates("exceptions = [\"edge.vex.json\"]"));
    assert!(excepted.done().contains("excepted until 2999-12-31 as not_affected"), "{}", excepted.stdout);
    let document = vex(&desk, "CVE-2022-3064", "2026-01-31");
    let expired = run(scan(&sbom(&desk)).arg("--vex").arg(&document));
    assert_eq!(expired.status, Some(4));
    assert!(expired.stderr.contains("expired on 2026-01-31; GO-2022-0956"), "{}", expired.stderr);
    let document = vex(&desk, "CVE-2000-1", "2999-12-31");
    let needless = run(scan(&sbom(&desk)).arg("--vex").arg(&document));
    assert!(needless.status == Some(4) && needless.stderr.contains("needless: nothing"), "{}", needless.stderr);
    with(&gates("severity = [\"high\"]")).fails(2, &["edge.toml:4:1: unknown key `severity`"]);
    with(&gates("severities = [\"bad\"]")).fails(2, &["edge.toml:4:"]);
    with(&gates("severities = [\"high\", \"high\"]")).fails(2, &["`high` stands there twice"]);
    with(&gates("exceptions = [\"none.json\"]")).fails(1, &["none.json", "name an OpenVEX document"]);
    let text = desk.file("text.json", "{}");
    run(scan(&sbom(&desk)).arg("--vex").arg(text)).fails(1, &["text.json: no OpenVEX document: missing field"]);
}

#[test]
fn a_database_that_is_too_old_or_from_the_future_is_an_error() {
    let desk = Desk::new();
    let judged =
        |database: &Path, age: &[&str]| run(orlop().arg("scan").arg(sbom(&desk)).arg("--db").arg(database).args(age));
    let old = database(&desk, "old", &document("2025-01-01T00:00:00Z", "Go"));
    judged(&old, &[])
        .fails(1, &["old.zip: its newest advisory is of 2025-01-01", "at most 30 are allowed; fetch it again"]);
    judged(&old, &["--max-age", "36500"]).done();
    let future = database(&desk, "future", &document("2999-01-01T00:00:00Z", "Go"));
    judged(&future, &[]).fails(1, &["future.zip: its newest advisory is of 2999-01-01", "set the clock"]);
    let other = database(&desk, "other", &document("2025-01-01T00:00:00Z", "Hex"));
    judged(&other, &["--max-age", "36500"]).fails(1, &["packages of Go, npm, and the databases are about Hex"]);
}

#[test]
fn a_build_with_a_gate_reads_its_databases_before_it_builds() {
    let desk = Desk::new();
    run(orlop().args(["build", "a.toml", "--keys", "k", "--gate"])).fails(2, &["--db <PATH>"]);
    run(orlop().args(["build", "a.toml", "--keys", "k", "--db", "x"])).fails(2, &["--gate"]);
    let definition = desk.copy_of_standalone("");
    let old = database(&desk, "old", &document("2025-01-01T00:00:00Z", "Go"));
    run(desk.build(&definition).arg("--gate").arg("--db").arg(&old)).fails(1, &["old.zip", "at most 30 are allowed"]);
    desk.nothing_built();
}

#[test]
fn what_cannot_be_read_is_one_error_and_nothing_is_written() {
    let desk = Desk::new();
    let empty = desk.file("empty.raw", "");
    run(&mut scan(&empty)).fails(1, &["empty.raw", "not a disk image of Orlop"]);
    run(&mut scan(&desk.path("missing.raw"))).fails(1, &["missing.raw", "No such file"]);
    run(&mut scan(&desk.path("keys"))).fails(1, &["keys: a folder"]);
    // Nothing is verified here, so nothing is refused.
    run(&mut scan(&blank_disk(&desk))).fails(1, &["the ESP is no FAT"]);
    let list = desk.file("list.json", "{\"packages\": []}");
    run(&mut scan(&list)).fails(1, &["list.json", "neither a CycloneDX document"]);
    let broken = desk.file("broken.json", "{\"bomFormat\":");
    run(&mut scan(&broken)).fails(1, &["broken.json", "no SBOM in JSON"]);
    let sarif = desk.path("x.sarif");
    let nothing =
        run(orlop().arg("scan").arg(sbom(&desk)).arg("--db").arg(desk.path("none")).arg("--sarif").arg(&sarif));
    nothing.fails(1, &["none: No such file"]);
    assert!(!sarif.exists());
    let without = run(orlop().arg("scan").arg(sbom(&desk)));
    without.fails(2, &["--db <PATH>"]);
    let document = json!({"id": "A-1", "affected": [{"package": {"ecosystem": "Go", "name": "x"}, "ranges": 1}]});
    let bad = database(&desk, "bad", &document);
    run(orlop().arg("scan").arg(sbom(&desk)).arg("--db").arg(bad)).fails(1, &["bad.zip: A-1.json: no OSV document"]);
}
