//! `orlop watch`, over a list of programs that needs no network: what is newer, what fails of the last image, and that
//! nothing is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::scan::{advisories, sbom};
use crate::support::server::Server;
use crate::support::{Desk, orlop, run};

/// A locked list of one file.
fn list(desk: &Desk) -> PathBuf {
    desk.file("motd", "hello\n");
    let text = "kind = \"programs\"\nname = \"tools\"\nkubernetes = \"1.37\"\n[components.motd]\nsource.file = { path = \"motd\" }\n";
    let list = desk.file("tools.toml", text);
    run(orlop().arg("lock").arg(&list).env("ORLOP_CACHE", desk.path("cache"))).done();
    list
}

fn watch(desk: &Desk, definition: &Path) -> Command {
    let mut command = orlop();
    command.arg("watch").arg(definition).env("ORLOP_CACHE", desk.path("cache"));
    command.env("ORLOP_DEBIAN_MIRROR", Server::closed().url("debian")).env("GOPROXY", "off").env("GOFLAGS", "");
    command
}

#[test]
fn an_input_that_is_another_now_is_status_5_until_it_is_locked() {
    let desk = Desk::new();
    let list = list(&desk);
    assert_eq!(run(&mut watch(&desk, &list)).done(), "tools: 0 newer inputs, no image was judged (--image, --db)\n");
    let locked = fs::read(desk.path("tools.lock")).unwrap();
    desk.file("motd", "good morning\n");
    let due = run(&mut watch(&desk, &list));
    assert_eq!((due.status, &*due.stderr), (Some(5), "orlop: a rebuild is due: 1 newer input\n"));
    assert!(due.stdout.starts_with("newer than what is locked\n  motd"), "{}", due.stdout);
    let due = run(watch(&desk, &list).arg("--json"));
    let document: serde_json::Value = serde_json::from_str(&due.stdout).unwrap();
    assert_eq!(
        (due.status, &document["due"], &document["inputs"][0]["input"]),
        (Some(5), &json!(true), &json!("motd"))
    );
    assert!(document.get("failures").is_none(), "no image was judged: {document}");
    assert_eq!(fs::read(desk.path("tools.lock")).unwrap(), locked, "nothing is written");
    run(orlop().arg("lock").arg(&list).env("ORLOP_CACHE", desk.path("cache"))).done();
    run(&mut watch(&desk, &list)).done();
}

#[test]
fn what_fails_of_the_last_image_is_due_too() {
    let desk = Desk::new();
    let list = list(&desk);
    let judged = || {
        let mut command = watch(&desk, &list);
        command.arg("--image").arg(sbom(&desk)).arg("--db").arg(advisories());
        command
    };
    let due = run(judged().args(["--max-age", "36500"]));
    assert_eq!((due.status, &*due.stderr), (Some(5), "orlop: a rebuild is due: 1 failure\n"));
    assert!(due.stdout.contains("fails\n  GO-2022-0956 in gopkg.in/yaml.v2 v2.2.3"), "{}", due.stdout);
    assert!(due.stdout.ends_with("tools: 0 newer inputs, 1 failure\n"), "{}", due.stdout);
    // The databases' age is checked here, too.
    run(&mut judged()).fails(1, &["at most 30 are allowed"]);
}

/// Of another tool's list nobody knows what image it is of; ours says it.
#[test]
fn our_own_list_of_another_image_is_an_error() {
    let desk = Desk::new();
    let list = list(&desk);
    let cyclonedx = |image: &str| {
        json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
            "metadata": {"component": {"type": "operating-system", "name": image, "version": "1.0"}},
            "components": [{"type": "application", "bom-ref": "component:motd", "name": "motd",
                "properties": [{"name": "orlop:component", "value": "motd"}]}]})
    };
    let spdx = |image: &str| {
        json!({"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": format!("{image}-1.0"),
            "packages": [{"SPDXID": "SPDXRef-Image", "name": image, "versionInfo": "1.0"},
                {"SPDXID": "SPDXRef-Component-motd", "name": "motd", "comment": "component `motd` of the image definition"}],
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                "relatedSpdxElement": "SPDXRef-Image"}]})
    };
    let judged = |document: Value| {
        let mut command = watch(&desk, &list);
        command.arg("--image").arg(desk.file("own.json", document.to_string()));
        run(command.arg("--db").arg(advisories()).args(["--max-age", "36500"]))
    };
    for document in [cyclonedx("other"), spdx("other")] {
        judged(document).fails(1, &["own.json: it is of the image other, and the definition is of `tools`"]);
    }
    for document in [cyclonedx("tools"), spdx("tools")] {
        assert!(judged(document).done().ends_with("tools: 0 newer inputs, 0 failures\n"));
    }
}

#[test]
fn what_cannot_be_looked_up_is_an_error_and_not_nothing() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    run(&mut watch(&desk, &definition)).fails(1, &["is there a network?"]);
    fs::remove_file(desk.path("images/standalone.lock")).unwrap();
    run(&mut watch(&desk, &definition)).fails(1, &["standalone.lock", "`orlop lock DEFINITION` makes it"]);
    run(watch(&desk, &definition).args(["--db", "x"])).fails(2, &["--image <IMAGE>"]);
    run(watch(&desk, &definition).args(["--image", "x"])).fails(2, &["--db <PATH>"]);
}
