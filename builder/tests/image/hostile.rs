//! What somebody's folder may bring into a root: a Go program that does not say what it was built from, and the same under a name
//! that is markup and turns the direction of writing. Every verb that reads an image names both, and none is deceived by them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orlop::formats::go_binary;
use orlop::text::{deceives, printable, shown};
use serde_json::{Value, json};

use crate::go_programs::go;
use crate::report::{SECTIONS, fetched_nothing, nothing_ran, renders, stands, told};
use crate::sbom::{CYCLONEDX, python};
use crate::support::browser::{Browser, address};
use crate::support::{Desk, Outcome, image, orlop, run};
use crate::tools::says;

/// In `/opt/mine`.
const NAMES: [&str; 2] = ["silent", "\"><img src=x onerror=\"document.documentElement.dataset.ran=1\">\u{202e}gnp.exe"];
/// What is known of both.
const WHY: &str = "a Go program without build information";

/// Puts both into a folder of the desk.
pub fn bring(desk: &Desk, folder: &str) {
    let program = silent_program();
    for name in NAMES {
        let path = desk.file(&format!("{folder}/{name}"), &program);
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
}

/// A program whose build information was taken out, as who hides what it is made of does.
fn silent_program() -> Vec<u8> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    let work = tempfile::tempdir().unwrap();
    let (source, program) = (work.path().join("silent.go"), work.path().join("silent"));
    fs::write(&source, "package main\n\nfunc main() { println(\"silent\") }\n").unwrap();
    says(go().env("CGO_ENABLED", "0").args(["build", "-ldflags", "-s -w", "-o"]).arg(&program).arg(&source));
    let mut bytes = fs::read(&program).unwrap();
    while let Some(at) = memchr::memmem::find(&bytes, MAGIC) {
        bytes[at..at + MAGIC.len()].fill(0);
    }
    let error = go_binary::build_info(&bytes, "silent").unwrap_err().to_string();
    assert!(go_binary::is_go(&bytes) && error.contains(WHY), "{error}");
    bytes
}

/// Where they lie in the root.
fn paths() -> [String; 2] {
    NAMES.map(|name| format!("/opt/mine/{name}"))
}

/// Of an image that has both.
pub fn is_named_by_every_verb(desk: &Desk, raw: &Path) {
    inspect_and_surface_list_them(raw);
    both_documents_say_what_is_not_known(desk, raw);
    a_scan_says_that_it_cannot_judge_them(desk, raw);
    diff_has_them_as_new(raw);
    the_page_shows_them(desk, raw);
}

/// It succeeded, and nothing that it printed for people moves a cursor or turns the direction of writing.
#[track_caller]
fn harmless(outcome: &Outcome) -> &str {
    let text = outcome.done();
    for printed in [text, &outcome.stderr] {
        let hidden = printed.lines().find(|line| line.chars().any(deceives));
        assert_eq!(hidden.map(|line| line.escape_debug().to_string()), None);
    }
    text
}

fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    document[name].as_array().unwrap_or_else(|| panic!("{name}"))
}

fn inspect_and_surface_list_them(raw: &Path) {
    for verb in ["inspect", "surface"] {
        let outcome = run(orlop().arg(verb).arg(raw));
        let text = harmless(&outcome);
        for path in paths() {
            assert!(text.contains(&shown(&path)), "{verb}: {path:?} is not in: {text}");
        }
    }
    // For programs, the names are as they are.
    let inspection = run(orlop().args(["inspect", "--json"]).arg(raw)).json();
    for path in paths() {
        assert!(list(&inspection, "files").iter().any(|file| file["path"] == path), "{path:?}");
    }
}

fn both_documents_say_what_is_not_known(desk: &Desk, raw: &Path) {
    let sbom = |format: &str| {
        let outcome = run(orlop().args(["sbom", "--format", format]).arg(raw));
        for path in paths() {
            let note = format!("{}: ", shown(&format!("root{path}")));
            let said = outcome.stderr.lines().any(|line| line.starts_with(&note) && line.contains(WHY));
            assert!(said && !outcome.stderr.contains('\u{202e}'), "{}", outcome.stderr);
        }
        (desk.file(&format!("hostile.{format}.json"), outcome.done()), outcome.json())
    };
    let (spdx, document) = sbom("spdx");
    for path in paths() {
        let name = format!("./root{path}");
        let file = list(&document, "files").iter().find(|file| file["fileName"] == name);
        let file = file.unwrap_or_else(|| panic!("{name:?}"));
        assert!(file["comment"].as_str().is_some_and(|comment| comment.contains(WHY)), "{file}");
    }
    let (cyclonedx, document) = sbom("cyclonedx");
    let incomplete = &list(&document, "compositions")[0];
    for path in paths() {
        let reference = format!("file:root{path}");
        assert!(list(incomplete, "assemblies").iter().any(|one| *one == reference), "{incomplete}");
    }
    says(python().args(["-m", "spdx_tools.spdx.clitools.pyspdxtools", "--infile"]).arg(spdx));
    says(python().args(["-c", CYCLONEDX]).arg(cyclonedx));
}

/// A database of which nothing is found in an image.
fn database(desk: &Desk) -> PathBuf {
    let document = json!({"id": "T-1", "published": "2025-01-01T00:00:00Z", "affected": [{
        "package": {"ecosystem": "Go", "name": "stdlib"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "999.0.0"}]}],
        "ecosystem_specific": {"imports": [{"path": "net/http", "symbols": ["NobodyEverWroteThis"]}]}}]});
    desk.file("hostile-database/T-1.json", document.to_string());
    desk.path("hostile-database")
}

fn a_scan_says_that_it_cannot_judge_them(desk: &Desk, raw: &Path) {
    let database = database(desk);
    let scan = || {
        let mut command = orlop();
        command.arg("scan").arg(raw).arg("--db").arg(&database).args(["--max-age", "36500"]);
        command
    };
    let outcome = run(&mut scan());
    let text = harmless(&outcome);
    let report = run(scan().arg("--json")).json();
    for path in paths() {
        assert!(text.contains(&format!("  {} (mine): ", shown(&path))), "{path:?} is not in: {text}");
        let unjudged = list(&report, "unjudged").iter().find(|row| row["what"] == path);
        let unjudged = unjudged.unwrap_or_else(|| panic!("{path:?}: {}", report["unjudged"]));
        assert!(unjudged["reason"].as_str().is_some_and(|reason| reason.contains(WHY)), "{unjudged}");
    }
}

fn diff_has_them_as_new(raw: &Path) {
    let outcome = run(orlop().arg("diff").arg(image()).arg(raw));
    let text = harmless(&outcome);
    let difference = run(orlop().args(["diff", "--json"]).arg(image()).arg(raw)).json();
    for path in paths() {
        let file = format!("root{path}");
        assert!(text.contains(&format!("  + {} ", printable(&file))), "{file:?} is not in: {text}");
        let change = list(&difference, "files").iter().find(|change| change["file"] == file);
        let change = change.unwrap_or_else(|| panic!("{file:?}"));
        assert_eq!((&change["before"], &change["after"]["component"]), (&Value::Null, &json!("mine")), "{change}");
    }
}

fn the_page_shows_them(desk: &Desk, raw: &Path) {
    let file = desk.path("hostile.html");
    let mut report = orlop();
    report.arg("report").arg(raw).arg("--previous").arg(image()).arg("--out").arg(&file);
    report.arg("--boot").arg(desk.file("hostile-boot.json", told(raw).to_string()));
    run(report.arg("--db").arg(database(desk)).args(["--max-age", "36500"])).done();
    let mut browser = Browser::start();
    let page = address(&file);
    browser.open(&page);
    renders(&mut browser, &SECTIONS);
    for path in paths() {
        // As it is, but for what would deceive.
        let path = path.replace('\u{202e}', "\\u{202e}");
        for (places, text) in [
            ("#root th", path.clone()),
            ("#changes th", format!("root{path}")),
            ("#summary th", format!("root{path}")),
            ("#findings th", path.clone()),
        ] {
            stands(&mut browser, places, &text);
        }
    }
    assert_eq!(browser.evaluate("document.body.textContent.includes('\\u202e')"), false);
    nothing_ran(&mut browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    fetched_nothing(&browser, &page);
}
