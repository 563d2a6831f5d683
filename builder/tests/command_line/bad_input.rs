//! What `orlop scan` is given that is old, huge, hostile, or in a shape that it does not know: one error with the right status
//! each, or a finding that counts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use orlop_config::date;
use serde_json::{Value, json};

use crate::scan::{advisories, database, document, sbom};
use crate::support::{Desk, orlop, run};

#[test]
fn the_definition_says_how_old_a_database_may_be_and_the_command_line_may_say_otherwise() {
    let desk = Desk::new();
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let published = |days: u64| format!("{}T00:00:00Z", date::text(date::civil(today - days)));
    let old = database(&desk, "old", &document(&published(400), "Go"));
    let fresh = database(&desk, "fresh", &document(&published(2), "Go"));
    let judged = |days: u32, database: &Path, age: &[&str]| {
        let text = format!("extends = \"orlop:node\"\nname = \"edge\"\n[gates]\nmax_database_age_days = {days}\n");
        let definition = desk.file("edge.toml", text);
        run(orlop()
            .arg("scan")
            .arg(sbom(&desk))
            .arg("--db")
            .arg(database)
            .arg("--definition")
            .arg(definition)
            .args(age))
    };
    // More than what holds where nobody says anything, and less.
    judged(3650, &old, &[]).done();
    judged(1, &fresh, &[]).fails(1, &["fresh.zip: its newest advisory is of", "at most 1 are allowed"]);
    judged(1, &fresh, &["--max-age", "30"]).done();
    judged(3650, &old, &["--max-age", "30"]).fails(1, &["old.zip", "at most 30 are allowed"]);
    judged(3651, &old, &[]).fails(2, &["edge.toml", "a database of 3651 days is none that anybody looks after"]);
}

/// A document about the module that the list has.
fn about(id: &str, aliases: &[&str], range: &str) -> Vec<u8> {
    let document = json!({"id": id, "published": "2026-01-02T00:00:00Z", "aliases": aliases, "affected": [{
        "package": {"ecosystem": "Go", "name": "gopkg.in/yaml.v2"},
        "ranges": [{"type": range, "events": [{"introduced": "0"}, {"fixed": "2.2.4"}]}]}]});
    document.to_string().into_bytes()
}

/// The same, blown up to so many bytes.
fn padded(id: &str, bytes: usize) -> Vec<u8> {
    let mut document = about(id, &[], "SEMVER");
    document.resize(bytes, b' ');
    document
}

fn folder(desk: &Desk, name: &str, documents: &[(&str, Vec<u8>)]) -> PathBuf {
    for (id, document) in documents {
        desk.file(&format!("{name}/{id}.json"), document);
    }
    desk.path(name)
}

fn archive(desk: &Desk, name: &str, documents: &[(String, Vec<u8>)]) -> PathBuf {
    let path = desk.path(name);
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (id, document) in documents {
        zip.start_file(format!("{id}.json"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(document).unwrap();
    }
    zip.finish().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000, "{name} is small");
    path
}

/// A list of packages as syft writes SPDX: what was found in an image, and a tool that only made it.
fn spdx(desk: &Desk) -> PathBuf {
    let package = |id: &str, name: &str, version: &str, kind: &str| {
        let purl = format!("pkg:{kind}/{name}@{version}");
        json!({"SPDXID": id, "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION", "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]})
    };
    let mut image = package("SPDXRef-DocumentRoot-Image-edge", "edge", "1.4.0", "oci");
    image["primaryPackagePurpose"] = "CONTAINER".into();
    let related = |left: &str, kind: &str, right: &str| json!({"spdxElementId": left, "relationshipType": kind, "relatedSpdxElement": right});
    let document = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "registry/edge",
        "creationInfo": {"created": "2026-01-02T00:00:00Z", "creators": ["Tool: syft-1.38.0"]},
        "packages": [
            image,
            package("SPDXRef-Package-yaml", "gopkg.in/yaml.v2", "v2.2.3", "golang"),
            package("SPDXRef-Package-tar", "tar", "0.4.44", "cargo")],
        "relationships": [
            related("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-DocumentRoot-Image-edge"),
            related("SPDXRef-DocumentRoot-Image-edge", "CONTAINS", "SPDXRef-Package-yaml"),
            related("SPDXRef-Package-tar", "BUILD_TOOL_OF", "SPDXRef-DocumentRoot-Image-edge")]});
    desk.file("edge.spdx.json", document.to_string())
}

/// What is read, by what, and the end: exit status and what the one error says.
type Row<'a> = (PathBuf, PathBuf, i32, &'a [&'a str]);

#[test]
fn each_bad_input_is_one_error_with_its_status() {
    let desk = Desk::new();
    let list = || sbom(&desk);
    let many: Vec<_> =
        (0..20).map(|number| format!("A-{number}")).map(|id| (id.clone(), padded(&id, 1 << 20))).collect();
    let circle = [("A-1", "B-1"), ("B-1", "C-1"), ("C-1", "A-1")].map(|(id, next)| (id, about(id, &[next], "SEMVER")));
    let broken = json!({"spdxVersion": "SPDX-2.3", "packages": [], "relationships": 1});
    let unknown = "in gopkg.in/yaml.v2 v2.2.3 of /usr/bin/kubelet (undecided, severity unknown)";
    let rows: [Row<'_>; 8] = [
        (
            list(),
            folder(&desk, "huge", &[("A-1", padded("A-1", 9 << 20))]),
            1,
            &["huge/A-1.json: more than 8388608 bytes in a document"],
        ),
        (
            list(),
            archive(&desk, "bomb.zip", &[("A-1".to_owned(), padded("A-1", 20 << 20))]),
            1,
            &["bomb.zip: A-1.json: more than 8388608 bytes in a document"],
        ),
        (list(), archive(&desk, "many.zip", &many), 1, &["many.zip: more than", "bytes in all documents"]),
        (
            list(),
            folder(&desk, "circle", &circle),
            4,
            &["the gates fail on 1: ", "in gopkg.in/yaml.v2 v2.2.3 of /usr/bin/kubelet (affected, severity unknown)"],
        ),
        (
            list(),
            folder(&desk, "range", &[("A-1", about("A-1", &[], "REVISION"))]),
            4,
            &["the gates fail on 1: A-1 ", unknown],
        ),
        // Of two the one that can be judged counts beside the one that cannot.
        (
            list(),
            folder(&desk, "ranges", &[("A-1", about("A-1", &[], "REVISION")), ("A-2", about("A-2", &[], "SEMVER"))]),
            4,
            &["the gates fail on 2: A-2 ", "A-1 ", unknown],
        ),
        (
            spdx(&desk),
            advisories(),
            4,
            &["the gates fail on 1: GO-2022-0956 in gopkg.in/yaml.v2 v2.2.3 of edge (affected, severity unknown)"],
        ),
        (
            desk.file("broken.spdx.json", broken.to_string()),
            advisories(),
            1,
            &["broken.spdx.json: not a disk image, and no SBOM in JSON", "line 1"],
        ),
    ];
    for (list, database, status, says) in rows {
        let name = database.display();
        let outcome = run(orlop().arg("scan").arg(list).arg("--db").arg(&database).args(["--max-age", "36500"]));
        assert_eq!(outcome.status, Some(status), "{name}: {}", outcome.stderr);
        let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("orlop: ")).collect();
        let [error] = errors[..] else { panic!("{name}: {}", outcome.stderr) };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        for part in says {
            assert!(error.contains(part), "{name}: `{part}` is not in: {error}");
        }
        // Of what cannot be read there is no report; of what the gates fail there is all of it.
        assert_eq!(outcome.stdout.is_empty(), status == 1, "{name}: {}", outcome.stdout);
    }
}

/// What another tool's list calls the image is no input of ours, and what only made the image is not judged.
#[test]
fn spdx_of_another_tool_is_judged_as_far_as_it_says() {
    let desk = Desk::new();
    let mut command = orlop();
    command.arg("scan").arg(spdx(&desk)).arg("--db").arg(advisories()).args(["--max-age", "36500", "--json"]);
    let outcome = run(&mut command);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["image"], &report["image_version"]), (&json!("edge"), &json!("1.4.0")));
    let findings = report["findings"].as_array().unwrap();
    let [yaml] = &findings[..] else { panic!("{findings:?}") };
    let next = yaml["places"][0]["next"].as_str().unwrap();
    assert!(next.contains("take a release of `edge` that has gopkg.in/yaml.v2 2.2.4"), "{next}");
    assert!(!next.contains("orlop lock") && !next.contains("orlop watch"), "{next}");
}
