use std::collections::BTreeSet;
use std::fs;

use ed25519_dalek::{Signer, SigningKey};
use orlop_chain::key::PublicKey;
use orlop_chain::manifest::parse_release;
use orlop_config::manifest::{
    BootManifest, BuildIdentity, Refusal, ReleaseManifest, Trust, Verity, render_boot, render_release,
};
use serde_json::{Value, json};

use super::*;
use crate::formats::dsse::{keyid, pae};
use crate::image::boot::Trusted;
use crate::image::inputs::Inputs;
use crate::image::signing::{Round, Signatures};
use crate::inventory::package_url;
use crate::keys::sample::certificate;
use crate::sources::{hash, source_hash};

fn key(seed: u8) -> (SigningKey, PublicKey) {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey { key: secret.verifying_key(), development: true };
    (secret, public)
}

fn facts(inputs: &Inputs) -> Facts {
    let trusted = Trusted { release_keys: vec![key(3).1], certificates: Vec::new() };
    Facts::gather(inputs, &trusted, package_url).unwrap()
}

fn shipped() -> Inputs {
    Inputs::load(Path::new("orlop:standalone")).unwrap()
}

fn release() -> ReleaseManifest {
    let digest = |byte: &str| byte.repeat(32);
    ReleaseManifest {
        version: 1,
        image: "standalone".into(),
        image_version: "0.1.0".into(),
        architecture: "x86_64".into(),
        class: "public".into(),
        development: true,
        boot_manifest_sha256: digest("01"),
        uki_authenticode_sha256: digest("02"),
        root_sha256: digest("03"),
        root_bytes: 4096,
        verity_sha256: digest("04"),
        verity_bytes: 4096,
        state_template_sha256: digest("05"),
        components: [("kernel".to_owned(), "6.12.1-1".to_owned())].into(),
        companions: [("standalone.surface.json".to_owned(), digest("08"))].into(),
        build: BuildIdentity {
            orlop: "0.1.0".into(),
            definition_sha256: digest("06"),
            lockfile_sha256: digest("07"),
            epoch: 1_795_399_773,
        },
    }
}

/// A release manifest's bytes, and a statement about it.
fn sample() -> (Vec<u8>, Vec<u8>) {
    let bytes = render_release(&release());
    let statement = facts(&shipped()).statement(&bytes).unwrap();
    (bytes, statement)
}

#[test]
fn every_input_is_named_with_its_digest_and_its_name_in_the_world() {
    let inputs = shipped();
    let facts = facts(&inputs);
    let names: Vec<&str> = facts.dependencies.iter().map(|resource| &*resource.name).collect();
    assert!(names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == names.len(), "{names:?}");
    let of = |name: &str| facts.dependencies.iter().find(|resource| resource.name == name).unwrap();
    for (name, input) in &inputs.lockfile.inputs {
        let found = of(name);
        assert_eq!((found.digest.len(), &found.annotations.origin), (1, &input.origin), "{name}");
        assert!(found.uri.as_ref().is_some_and(|uri| uri.starts_with("pkg:")), "{name}: {found:?}");
    }
    let locked = |name: &str| &inputs.lockfile.inputs[name].sha256;
    assert_eq!(&of("kernel").digest[SHA256], locked("kernel"));
    assert!(of("kernel").uri.as_ref().unwrap().starts_with("pkg:deb/debian/linux-image-"), "{:?}", of("kernel"));
    // What the lockfile has of a Go component is no digest of the module.
    assert_eq!(&of("kubelet").digest[GO_MODULES], locked("kubelet"));
    assert_eq!(&of("toolchain.go").digest[SHA256], locked("toolchain.go"));
    assert_eq!(of("init").digest[SHA256], source_hash().unwrap());
    let rust = of("toolchain.rust");
    assert!(rust.digest.is_empty() && rust.uri.as_ref().unwrap().starts_with("pkg:generic/rust@1."), "{rust:?}");
    let pods: Vec<String> =
        inputs.project.definition().static_pods.keys().map(|pod| format!("static-pod.{pod}")).collect();
    assert!(!pods.is_empty() && pods.iter().all(|pod| of(pod).digest.contains_key(SHA256)), "{pods:?}");
    assert_eq!(names.len(), inputs.lockfile.inputs.len() + 1 + pods.len());
    let files: Vec<&str> = facts.files.iter().map(|file| &*file.name).collect();
    assert_eq!(files, ["orlop:standalone", "orlop:node"]);
    assert_eq!(facts.release_keys, [keyid(&key(3).1)]);
}

#[test]
fn a_definition_elsewhere_is_named_by_its_file_and_its_text() {
    let desk = tempfile::tempdir().unwrap();
    let write = |folder: &str, comment: &str| {
        let folder = desk.path().join(folder);
        fs::create_dir(&folder).unwrap();
        let text = format!("extends = \"orlop:standalone\"\n# {comment}\n");
        fs::write(folder.join("edge.toml"), text).unwrap();
        let shipped = crate::sources::shipped::file("standalone.lock").unwrap();
        fs::write(folder.join("edge.lock"), shipped).unwrap();
        facts(&Inputs::load(&folder.join("edge.toml")).unwrap())
    };
    let (one, same, other) = (write("one", "x"), write("same", "x"), write("other", "y"));
    assert_eq!(one, same, "no folder is named");
    let names: Vec<&str> = one.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["edge.toml", "orlop:standalone", "orlop:node"]);
    assert!(one.files[0] != other.files[0] && one.files[1..] == other.files[1..], "{one:?}");
}

/// Somebody writes while a build runs: the image has what was read first, and the provenance names that.
#[test]
fn what_is_read_is_read_once() {
    let desk = tempfile::tempdir().unwrap();
    let (definition, manifest) = (desk.path().join("edge.toml"), desk.path().join("web.yaml"));
    let first = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec: {}\n";
    let later = first.replace("web", "other");
    fs::write(&definition, "extends = \"orlop:standalone\"\n[static_pods]\nweb = \"web.yaml\"\n").unwrap();
    let lockfile = crate::sources::shipped::file("standalone.lock").unwrap();
    fs::write(desk.path().join("edge.lock"), lockfile).unwrap();
    fs::write(&manifest, first).unwrap();
    let inputs = Inputs::load(&definition).unwrap();
    assert_eq!(inputs.lockfile_sha256, hash(lockfile));
    fs::write(&manifest, &later).unwrap();
    let facts = facts(&inputs);
    let web = facts.dependencies.iter().find(|resource| resource.name == "static-pod.web").unwrap();
    assert_eq!((&inputs.static_pods["web"][..], &web.digest[SHA256]), (first.as_bytes(), &hash(first.as_bytes())));
    let error = format!("{:#}", Inputs::load(&definition).unwrap_err());
    assert!(error.contains("the pod is called `other`"), "{error}");
}

#[test]
fn a_statement_is_the_same_each_time_and_reads_back() {
    let (manifest, statement) = sample();
    assert_eq!(sample(), (manifest.clone(), statement.clone()));
    let text = String::from_utf8(statement.clone()).unwrap();
    for other in ["startedOn", "finishedOn", "invocationId", env!("CARGO_MANIFEST_DIR"), "\n"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    let read = check(&statement, &manifest, &release()).unwrap();
    assert_eq!(serde_json::to_vec(&read).unwrap(), statement);
    let document: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(document["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(document["predicateType"], "https://slsa.dev/provenance/v1");
    assert_eq!(
        document["subject"][0],
        json!({
            "name": "standalone.release.json", "digest": { "sha256": hash(&manifest) }
        })
    );
    assert_eq!(
        document["subject"][3],
        json!({
            "name": "standalone.raw#root", "digest": { "sha256": "03".repeat(32) }
        })
    );
    let predicate = &document["predicate"];
    assert_eq!(predicate["runDetails"], json!({ "builder": { "id": BUILDER_ID, "version": { "orlop": "0.1.0" } } }));
    let definition = &predicate["buildDefinition"];
    assert_eq!(definition["buildType"], BUILD_TYPE);
    assert_eq!(definition["externalParameters"]["definition"]["sha256"], "06".repeat(32));
    assert_eq!(definition["externalParameters"]["sourceDateEpoch"], 1_795_399_773);
    assert_eq!(definition["internalParameters"]["rustProfile"], "node");
}

/// What `check` says of the statement once it was changed.
fn changed(change: &dyn Fn(&mut Value)) -> Result<(), String> {
    let (manifest, statement) = sample();
    let mut document: Value = serde_json::from_slice(&statement).unwrap();
    change(&mut document);
    let bytes = serde_json::to_vec(&document).unwrap();
    check(&bytes, &manifest, &release()).map(drop).map_err(|error| error.to_string())
}

#[test]
fn what_differs_from_the_release_manifest_is_named() {
    type Change = (&'static str, fn(&mut Value), &'static str);
    let rows: [Change; 12] = [
        (
            "/_type",
            |at| *at = "https://in-toto.io/Statement/v0.1".into(),
            "its _type is `https://in-toto.io/Statement/v0.1`, not",
        ),
        ("/predicateType", |at| *at = "https://slsa.dev/provenance/v0.2".into(), "its predicateType is"),
        (
            "/predicate/buildDefinition/buildType",
            |at| *at = "https://example.com/\u{202e}".into(),
            "its buildType is `https://example.com/\\u{202e}`",
        ),
        (
            "/subject/1/digest/authenticodeSha256",
            |at| *at = "0".repeat(64).into(),
            "its subject `standalone.efi` has authenticodeSha256 `0000",
        ),
        (
            "/subject/3",
            |at| at["digest"] = json!({ "sha512": "00" }),
            "its subject `standalone.raw#root` has sha256 ``, the image's has `0303",
        ),
        ("/subject", |at| drop(at.as_array_mut().unwrap().remove(0)), "it has no subject `standalone.release.json`"),
        (
            "/subject",
            |at| {
                at.as_array_mut().unwrap().push(json!({ "name": "standalone.raw#root", "digest": { "sha256": "00" } }))
            },
            "its subject `standalone.raw#root` has sha256 `00`",
        ),
        ("/predicate/buildDefinition/externalParameters", |at| at["extra"] = 1.into(), "unknown field `extra`"),
        (
            "/predicate/buildDefinition/externalParameters/lockfileSha256",
            |at| *at = "x".into(),
            "its lockfileSha256 is `x`, the release manifest has `0707",
        ),
        (
            "/predicate/buildDefinition/externalParameters/sourceDateEpoch",
            |at| *at = 1.into(),
            "its sourceDateEpoch is `1`, the release manifest has `1795399773`",
        ),
        (
            "/predicate/runDetails/builder/id",
            |at| *at = "https://example.com/somebody".into(),
            "its builder.id is `https://example.com/somebody`, not `urn:orlop:builder`",
        ),
        (
            "/predicate/runDetails/builder/version",
            |at| *at = json!({}),
            "its builder.version.orlop is ``, the release manifest has `0.1.0`",
        ),
    ];
    for (path, change, says) in rows {
        let error = changed(&|document| change(document.pointer_mut(path).unwrap())).unwrap_err();
        assert!(error.contains(says), "{path}: {error}");
    }
    // What later versions of these formats may add says nothing against it.
    let more = |document: &mut Value| {
        document["subject"].as_array_mut().unwrap().push(json!({ "name": "more", "digest": { "sha256": "00" } }));
        document["predicate"]["runDetails"]["metadata"] = json!({});
    };
    assert_eq!(changed(&more), Ok(()));
}

#[test]
fn a_payload_that_is_no_statement_is_an_error() {
    let (manifest, statement) = sample();
    for payload in [&b""[..], b"{}", b"[]", b"null", b"{\"_type\": 1}", &statement[..statement.len() - 1], &[0xff; 9]] {
        let error = check(payload, &manifest, &release()).unwrap_err().to_string();
        assert!(error.starts_with("not a provenance that this `orlop` reads: "), "{error}");
    }
    // A key that stands twice: readers would differ in which of them counts.
    let text = String::from_utf8(statement).unwrap();
    let twice = text.replacen("\"lockfileSha256\":", "\"lockfileSha256\":\"x\",\"lockfileSha256\":", 1);
    assert_ne!(twice, text);
    let error = check(twice.as_bytes(), &manifest, &release()).unwrap_err().to_string();
    assert!(error.contains("duplicate field `lockfileSha256`"), "{error}");
}

#[test]
fn a_file_that_is_no_envelope_is_named_and_not_read_whole() {
    let desk = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = desk.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let refused = |path: &Path| format!("{:#}", read(path).unwrap_err());
    let huge = file("huge.provenance.json", b"{");
    fs::File::options().write(true).open(&huge).unwrap().set_len(1 << 32).unwrap();
    for (path, says) in [
        (huge, "huge.provenance.json: more than 1048576 bytes"),
        (file("text", b"{\"payload\": 1}"), "text: not a DSSE envelope: invalid type"),
        (file("none", b"{\"payload\": \"\", \"payloadType\": \"\", \"signatures\": []}"), "none: it has 0 signatures"),
        (desk.path().join("missing"), "missing: `orlop build` and `orlop attach` write it"),
        (desk.path().to_owned(), "write it beside the image"),
    ] {
        let error = refused(&path);
        assert!(error.contains(says), "{error}");
    }
    assert!(refused(&desk.path().join("text")).contains("take the file that the image's build wrote, or build again"));
    let (statement, (secret, public)) = (sample().1, key(3));
    let signature = secret.sign(&pae(PAYLOAD_TYPE, &statement)).to_bytes();
    let good = file("good", &Envelope::new(PAYLOAD_TYPE, &statement, &public, &signature).render());
    assert_eq!(read(&good).unwrap().verify(PAYLOAD_TYPE, &[public]).unwrap().0, statement);
    assert_eq!(beside(Path::new("out/standalone.raw")), Path::new("out/standalone.provenance.json"));
}

#[test]
fn people_read_what_it_was_built_from_whatever_names_hold() {
    let mut document: Value = serde_json::from_slice(&sample().1).unwrap();
    document["subject"][0]["name"] = "a\u{1b}[2J\nverified: b".into();
    let statement = parse(&serde_json::to_vec(&document).unwrap()).unwrap();
    let text = text(&statement, "somebody");
    for says in [
        "standalone 0.1.0\n",
        "built by      orlop 0.1.0 (urn:orlop:builder)",
        "signed by     somebody (not verified here",
        "orlop:standalone sha256 ",
        "lockfile      sha256 0707",
        "subjects (7)",
        "a\u{fffd}[2J\u{fffd}verified: b",
        "  kernel  ",
        "pkg:deb/debian/linux-image-",
    ] {
        assert!(text.contains(says), "`{says}` is not in: {text}");
    }
    assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.starts_with("verified")), "{text}");
}

fn boot() -> BootManifest {
    BootManifest {
        version: 1,
        image: "standalone".into(),
        image_version: "0.1.0".into(),
        architecture: "x86_64".into(),
        class: "public".into(),
        command_line: "gpt panic=10 --".into(),
        verity: Verity {
            root_hash: "08".repeat(32),
            salt: "09".repeat(32),
            uuid: "954172df-ee9a-8ab2-990a-0ab162ee6bc5".into(),
            algorithm: "sha256".into(),
            data_block_size: 4096,
            hash_block_size: 4096,
            data_blocks: 1,
            hash_start_block: 1,
        },
        refusal: Refusal::Reboot,
        trust: Trust::default(),
        development: true,
    }
}

/// Whoever signs elsewhere sees what the provenance says, and signs none that is another image's.
#[test]
fn a_round_of_signatures_has_the_provenance_of_its_image() {
    let boot = render_boot(&boot());
    let manifest = render_release(&ReleaseManifest { boot_manifest_sha256: hash(&boot), ..release() });
    let statement = facts(&shipped()).statement(&manifest).unwrap();
    let round = Round::new(boot.clone(), manifest.clone(), statement.clone()).unwrap();
    let line = format!("definition {}, lockfile {}", "06".repeat(32), "07".repeat(32));
    let said = round.summary();
    assert!(said.iter().any(|text| text.starts_with("made from ") && text.ends_with(&line)), "{said:?}");
    let (secret, public) = key(3);
    let signatures = Signatures {
        boot_manifest: [0; 64],
        release_manifest: [0; 64],
        provenance: secret.sign(&pae(PAYLOAD_TYPE, &statement)).to_bytes(),
        root_hash: Vec::new(),
        uki: Vec::new(),
    };
    let envelope = round.envelope(&signatures, &public);
    assert_eq!(envelope.verify(PAYLOAD_TYPE, &[public]).unwrap().0, statement);
    let error = format!("{:#}", Round::new(boot, manifest, sample().1).err().unwrap());
    assert!(error.starts_with("the provenance of this round: its subject `standalone.release.json` has"), "{error}");
}

/// A build machine that writes into the provenance what no build does, in the hope that somebody signs it elsewhere.
#[test]
fn what_no_build_writes_is_not_signed() {
    let (boot, other) = (render_boot(&boot()), key(4).1);
    let manifest = render_release(&ReleaseManifest { boot_manifest_sha256: hash(&boot), ..release() });
    let statement = facts(&shipped()).statement(&manifest).unwrap();
    let round = |statement: Vec<u8>| Round::new(boot.clone(), manifest.clone(), statement);
    let text = String::from_utf8(statement.clone()).unwrap();
    for (from, to) in [
        ("\"subject\":[", "\"subject\":[{\"name\":\"evil.tar\",\"digest\":{\"sha256\":\"00\"}},"),
        ("\"certificates\":[]", "\"certificates\":[\"00\"]"),
        ("\"rustTarget\":\"", "\"rustTarget\":\"x"),
        ("\"buildDefinition\":{", "\"buildDefinition\":{\"more\":1,"),
        ("\"version\":{\"orlop\":\"0.1.0\"", "\"version\":{\"orlop\":\"0.1.0\",\"somebody\":\"1\""),
        ("\"runDetails\":{", "\"runDetails\":{\"metadata\":{},"),
        ("{\"_type\"", "{\"more\":1,\"_type\""),
        // The same, in other bytes.
        ("{\"_type\"", "{ \"_type\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let changed = changed.into_bytes();
        assert!(check(&changed, &manifest, &parse_release(&manifest).unwrap()).is_ok(), "{to}: a reader takes it");
        let error = format!("{:#}", round(changed).err().unwrap());
        assert!(error.contains("says more, or something else, than this `orlop` writes"), "{to}: {error}");
    }
    // The key that signs is the one that it names first.
    let error = round(statement).unwrap().belongs_to(&other, &certificate()).unwrap_err().to_string();
    assert!(error.contains(&keyid(&other)) && error.contains(&keyid(&key(3).1)), "{error}");
}
