//! A provenance that is none, is another tool's, or is missing; and what is shown of one, with no image at hand.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{orlop, run, verify_by};

fn provenance(image: &Path) -> Command {
    let mut command = orlop();
    command.arg("provenance").arg(image);
    command
}

/// A statement of Orlop's, about nothing that exists, with a field of a later version.
fn statement() -> Value {
    let definition = json!({ "name": "edge", "version": "1.0", "sha256": "01", "files": [{ "name": "edge.toml" }] });
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "edge.release.json\u{1b}[2J", "digest": { "sha256": "02" } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:orlop:build-type:image:v1",
                "externalParameters": {
                    "definition": definition, "lockfileSha256": "03", "sourceDateEpoch": 1, "releaseKeys": [],
                    "certificates": [],
                },
                "internalParameters": { "architecture": "x86_64", "rustTarget": "musl", "rustProfile": "node" },
                "resolvedDependencies": [{ "name": "kernel", "uri": "pkg:deb/debian/linux@1", "later": true }],
            },
            "runDetails": { "builder": { "id": "urn:orlop:builder", "version": { "orlop": "9.9.9" } } },
        },
    })
}

fn envelope(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let signatures = json!([{ "keyid": "somebody", "sig": STANDARD.encode([0_u8; 64]) }]);
    let payload = STANDARD.encode(payload);
    let envelope = json!({ "payload": payload, "payloadType": payload_type, "signatures": signatures });
    serde_json::to_vec(&envelope).unwrap()
}

const IN_TOTO: &str = "application/vnd.in-toto+json";

#[test]
fn what_is_no_provenance_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let (image, file) = (folder.path().join("edge.raw"), folder.path().join("edge.provenance.json"));
    run(&mut provenance(&image)).fails(1, &["edge.provenance.json: `orlop build` and `orlop attach`", "No such file"]);
    let mut foreign = statement();
    foreign["predicate"]["buildDefinition"]["buildType"] = "https://example.org/workflow/v1".into();
    let foreign = serde_json::to_vec(&foreign).unwrap();
    for (content, says) in [
        (b"{}".to_vec(), "not a DSSE envelope: missing field"),
        (envelope("text/plain", b"x"), "its payloadType is `text/plain`"),
        (envelope(IN_TOTO, b"{}"), "not a provenance that this `orlop` reads: missing field `_type`"),
        (envelope(IN_TOTO, &foreign), "its buildType is `https://example.org/workflow/v1`"),
    ] {
        fs::write(&file, content).unwrap();
        run(&mut provenance(&image)).fails(1, &["edge.provenance.json: ", says]);
    }
    File::options().write(true).open(&file).unwrap().set_len(1 << 32).unwrap();
    run(&mut provenance(&image)).fails(1, &["edge.provenance.json: more than 1048576 bytes"]);
    let with = |arguments: &[&str]| run(verify_by(&image, &file, &file).args(arguments));
    with(&["--image-only", "--provenance"]).fails(2, &["cannot be used with"]);
}

#[test]
fn a_provenance_is_shown_to_people_and_as_the_statement_that_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (image, file) = (folder.path().join("edge.raw"), folder.path().join("elsewhere.json"));
    fs::write(&file, envelope(IN_TOTO, &serde_json::to_vec(&statement()).unwrap())).unwrap();
    let text = run(provenance(&image).arg("--file").arg(&file));
    for part in ["edge 1.0\n", "built by      orlop 9.9.9", "signed by     somebody (not verified here", "linux@1"] {
        assert!(text.done().contains(part), "{part}: {}", text.stdout);
    }
    assert!(!text.stdout.contains('\u{1b}'), "{}", text.stdout);
    assert_eq!(run(provenance(&image).arg("--file").arg(&file).arg("--json")).json(), statement());
}
