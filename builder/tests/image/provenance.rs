//! The provenance beside the image as it was built: what it says, who else can check it, and what is refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::{Outcome, image, image_key, orlop, run, verify_as_built, workspace};
use crate::tools::tool;

fn beside(image: &Path, end: &str) -> Vec<u8> {
    let path = image.with_extension(end);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn document(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn decoded(text: &Value) -> Vec<u8> {
    STANDARD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn it_is_about_this_image_and_names_what_that_was_built_from() {
    let verdict = run(verify_as_built(&image()).args(["--provenance", "--json"])).json();
    let passed = verdict["passed"].as_array().unwrap();
    let stages: Vec<&str> = passed.iter().map(|row| row["stage"].as_str().unwrap()).collect();
    let at = stages.iter().position(|stage| *stage == "provenance").expect("it was checked");
    assert_eq!(stages[at - 1], "release-manifest", "it is held against a manifest that was verified");
    assert_eq!(passed[at]["link"], "inputs → release");
    let statement = run(orlop().args(["provenance", "--json"]).arg(image())).json();
    let manifest = beside(&image(), "release.json");
    let release = document(&manifest);
    assert_eq!(statement["subject"][0]["name"], "standalone.release.json");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], sha256(&manifest));
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["lockfileSha256"], release["build"]["lockfile_sha256"]);
    let inputs = definition["resolvedDependencies"].as_array().unwrap();
    let input = |name: &str| inputs.iter().find(|input| input["name"] == name).unwrap_or_else(|| panic!("{name}"));
    for name in release["components"].as_object().unwrap().keys() {
        assert!(input(name)["uri"].as_str().unwrap().starts_with("pkg:"), "{name}");
    }
    assert!(input("toolchain.go")["digest"]["sha256"].is_string());
    let text = run(orlop().arg("provenance").arg(image()));
    for part in ["standalone 0.1.0", "built by      orlop 0.1.0", "not verified here", "inputs (", "pkg:deb/debian/"] {
        assert!(text.done().contains(part), "{part}: {}", text.stdout);
    }
}

/// A provenance as somebody altered it, in a file of its own; the image stays where it is.
struct Altered {
    folder: TempDir,
    envelope: Value,
}

impl Altered {
    fn new() -> Altered {
        let envelope = document(&beside(&image(), "provenance.json"));
        Altered { folder: tempfile::tempdir().unwrap(), envelope }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("altered.provenance.json")
    }

    fn verified(&self, bytes: &[u8]) -> Outcome {
        fs::write(self.path(), bytes).unwrap();
        self.verified_file(&self.path())
    }

    fn verified_file(&self, file: &Path) -> Outcome {
        run(verify_as_built(&image()).arg(format!("--provenance={}", file.display())))
    }

    #[track_caller]
    fn refused(&self, change: impl Fn(&mut Value), says: &str) {
        let mut envelope = self.envelope.clone();
        change(&mut envelope);
        let outcome = self.verified(&serde_json::to_vec(&envelope).unwrap());
        outcome.fails(3, &["stage=provenance ", "altered.provenance.json: ", says]);
    }
}

#[test]
fn an_altered_provenance_is_refused_with_the_reason() {
    let altered = Altered::new();
    let another = |payload: &Value| -> Value {
        let text = String::from_utf8(decoded(payload)).unwrap();
        assert!(text.contains("pkg:deb/debian/"), "{text}");
        STANDARD.encode(text.replacen("pkg:deb/debian/", "pkg:deb/ubuntu/", 1)).into()
    };
    let nobody = "no signature in it is by a trusted release key over its payload";
    altered.refused(|it| it["payload"] = another(&it["payload"]), nobody);
    altered.refused(|it| it["signatures"][0]["sig"] = STANDARD.encode([7_u8; 64]).into(), nobody);
    altered.refused(|it| it["signatures"] = json!([]), "it has 0 signatures");
    altered.refused(|it| it["payload"] = "in-toto?".into(), "its `payload` is not base64");
    altered
        .refused(|it| it["payloadType"] = "text/plain".into(), "its payloadType is `text/plain`, not `application/vnd");
    // A hint that leads nowhere decides nothing.
    let mut envelope = altered.envelope.clone();
    envelope["signatures"][0]["keyid"] = "somebody".into();
    altered.verified(&serde_json::to_vec(&envelope).unwrap()).done();
    altered.verified(b"{").fails(3, &["stage=provenance ", "not a DSSE envelope"]);
    File::options().write(true).open(altered.path()).unwrap().set_len(1 << 32).unwrap();
    altered.verified_file(&altered.path()).fails(3, &["stage=provenance ", "more than 1048576 bytes"]);
    let missing = altered.folder.path().join("missing.json");
    altered.verified_file(&missing).fails(3, &["stage=provenance ", "missing.json: `orlop build`", "No such file"]);
    // Of another image, and signed by the same key.
    let named = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = named.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    let other = altered.verified(&beside(&probe, "provenance.json"));
    other.fails(3, &["stage=provenance ", "its subject `standalone.release.json` has sha256 `", "another build's"]);
}

/// `openssl` over the encoding that the specification tells, put together here once more.
#[test]
fn openssl_accepts_the_signature_and_calls_the_key_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let envelope = document(&beside(&image(), "provenance.json"));
    let der = tool("openssl").args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(image_key()).output().unwrap();
    assert!(der.status.success(), "{}", String::from_utf8_lossy(&der.stderr));
    assert_eq!(envelope["signatures"][0]["keyid"], sha256(&der.stdout));
    let (payload, kind) = (decoded(&envelope["payload"]), envelope["payloadType"].as_str().unwrap());
    let accepted = |payload: &[u8]| {
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        let (message, signature) = (folder.path().join("message"), folder.path().join("signature"));
        fs::write(&message, [head.as_bytes(), payload].concat()).unwrap();
        fs::write(&signature, decoded(&envelope["signatures"][0]["sig"])).unwrap();
        let mut openssl = tool("openssl");
        openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(image_key());
        openssl.arg("-in").arg(message).arg("-sigfile").arg(signature).output().unwrap().status.success()
    };
    assert!(accepted(&payload));
    assert!(!accepted(&payload[1..]), "a signature over anything is none");
}
