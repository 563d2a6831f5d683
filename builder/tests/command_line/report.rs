//! `orlop report`: what cannot be read is one error, and leaves no page.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::image::blank_disk;
use crate::support::{Desk, orlop, run};

fn report(desk: &Desk) -> Command {
    let mut command = orlop();
    command.arg("report").arg(desk.path("missing.raw")).arg("--out").arg(desk.path("page.html"));
    command
}

#[test]
fn what_is_no_image_leaves_the_page_as_it_was() {
    let desk = Desk::new();
    let page = desk.file("page.html", "before");
    run(&mut report(&desk)).fails(1, &["missing.raw", "No such file"]);
    // Nothing is verified here, so nothing is refused.
    let blank = blank_disk(&desk);
    run(orlop().arg("report").arg(&blank).arg("--out").arg(&page)).fails(1, &["the ESP is no FAT"]);
    run(orlop().arg("report").arg(&blank)).fails(1, &["blank.raw", "the ESP is no FAT"]);
    assert_eq!(fs::read_to_string(page).unwrap(), "before");
}

/// Each is named before the image is looked at.
#[test]
fn what_is_named_beside_the_image_is_read_first() {
    let desk = Desk::new();
    let boot = |name: &str, text: &str| run(report(&desk).arg("--boot").arg(desk.file(name, text)));
    boot("text.json", "healthy").fails(1, &["text.json: no boot report: expected value", "orlop run IMAGE"]);
    boot("other.json", "{\"image\": 1}").fails(1, &["other.json: no boot report: it has neither `accelerator`"]);
    boot("half.json", "{\"accelerator\": \"TCG\"}").fails(1, &["half.json: no boot report: missing field `phases`"]);
    let long = format!("[{}0]", "0,".repeat(3 << 20));
    boot("long.json", &long).fails(1, &["long.json: more than 4194304 bytes"]);
    let one = json!({"accelerator": "TCG", "phases": [], "pods": {}, "listeners": []});
    boot("one.json", &one.to_string()).fails(1, &["one.json: it does not say both `listeners` and `processes`"]);
    run(report(&desk).arg("--boot").arg(desk.path("none.json"))).fails(1, &["none.json", "No such file"]);
    run(report(&desk).arg("--db").arg(desk.path("none"))).fails(1, &["none: No such file"]);
    let licences = |name: &str, text: &str| run(report(&desk).arg("--licences").arg(desk.file(name, text)));
    licences("text.licences.json", "MIT").fails(1, &["text.licences.json: not a document of licence texts"]);
    let first = "{\"version\": 1}";
    licences("first.licences.json", first)
        .fails(1, &["first.licences.json: its format is version 1, and version 2 is"]);
    run(report(&desk).arg("--licences").arg(desk.path("no.json"))).fails(1, &["no.json: cannot be opened"]);
    let old = json!({"id": "A-1", "published": "2025-01-01T00:00:00Z", "affected": []});
    desk.file("old/A-1.json", old.to_string());
    run(report(&desk).arg("--db").arg(desk.path("old"))).fails(1, &["old: its newest advisory is of 2025-01-01"]);
    let text = desk.file("text.pub", "no key");
    run(report(&desk).arg("--key").arg(text).arg("--cert").arg(desk.certificate())).fails(1, &["text.pub"]);
    assert!(!desk.path("page.html").exists());
}

#[test]
fn arguments_that_need_another_are_wrong_usage() {
    let desk = Desk::new();
    for (argument, value, needs) in [
        ("--vex", "x.json", "--db <PATH>"),
        ("--definition", "x.toml", "--db <PATH>"),
        ("--max-age", "7", "--db <PATH>"),
        ("--key", "x.pub", "--cert <FILE>"),
        ("--cert", "x.crt", "--key <FILE>"),
    ] {
        run(report(&desk).args([argument, value])).fails(2, &[needs]);
    }
}
