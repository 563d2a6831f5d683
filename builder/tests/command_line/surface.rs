//! `orlop surface` over documents: numbers beside the previous ones, budgets, what a boot showed.

use serde_json::{Value, json};

use crate::support::{Desk, orlop, run};

/// The document beside an image with so many files and modules.
fn document(files: u64, modules: u64) -> String {
    let numbers = json!({
        "root_bytes": {"is": 4096, "of": {"kernel": 9000}},
        "files": {"is": files, "of": {"kernel": files}},
        "modules": {"is": modules, "of": {"drivers/net": modules}},
        "setuid": {"is": 0}, "capabilities": {"is": 0}, "interpreters": {"is": 0}, "executables": {"is": 9},
        "uki_bytes": {"is": 9000}, "init_bytes": {"is": 900},
    });
    let document = json!({
        "version": 1, "image": "edge", "image_version": "1.0.0", "root_hash": "ab".repeat(32), "numbers": numbers,
    });
    document.to_string()
}

fn boot(listeners: &[u16]) -> String {
    let listener = |port| json!({"protocol": "tcp", "address": "127.0.0.1", "port": port, "comm": "kubelet"});
    let listeners: Vec<Value> = listeners.iter().map(listener).collect();
    let processes = json!([{"comm": "init", "exe": "/init", "cgroup": "0::/init"}]);
    json!({"root_hash": "ab".repeat(32), "listeners": listeners, "processes": processes}).to_string()
}

#[test]
fn numbers_stand_beside_the_previous_ones() {
    let desk = Desk::new();
    let [before, after] = [("old.json", 10, 160), ("new.json", 12, 160)]
        .map(|(name, files, modules)| desk.file(name, document(files, modules)));
    let boot = desk.file("boot.json", boot(&[10248, 10250]));
    let command = || {
        let mut command = orlop();
        command.arg("surface").arg(&after).arg("--previous").arg(&before).arg("--boot").arg(&boot);
        command
    };
    let text = run(&mut command());
    let rows: Vec<Vec<&str>> = text.done().lines().map(|line| line.split_whitespace().collect()).collect();
    for row in [
        &["files", "12", "10", "+2"][..],
        &["modules", "160", "160"],
        &["listeners", "2", "–"],
        &["kernel", "10", "→", "12", "(+2)"],
    ] {
        assert!(rows.iter().any(|found| found == row), "{row:?} is not in: {}", text.stdout);
    }
    let json = run(command().arg("--json")).json();
    assert_eq!((&json["image"], &json["numbers"]["files"]["is"]), (&json!("edge"), &json!(12)));
    assert_eq!(json["numbers"]["listeners"]["of"]["kubelet tcp 127.0.0.1:10250"], 1);
    assert_eq!(json["previous"]["numbers"]["files"]["is"], 10);
    let changed: Vec<&Value> = json["changes"].as_array().unwrap().iter().map(|change| &change["what"]).collect();
    assert_eq!(changed, ["files", "listeners", "processes"]);
}

#[test]
fn a_budget_that_is_passed_is_named() {
    let desk = Desk::new();
    let image = desk.file("edge.surface.json", document(10, 160));
    let boot = desk.file("boot.json", boot(&[10248, 10250]));
    let definition = |budgets: &str| {
        desk.file("edge.toml", format!("extends = \"orlop:node\"\nname = \"edge\"\n[budgets]\n{budgets}\n"))
    };
    let surface = |budgets: &str| {
        let mut command = orlop();
        command.arg("surface").arg(&image).arg("--definition").arg(definition(budgets));
        command
    };
    run(&mut surface("modules = 160")).done();
    run(&mut surface("modules = 159")).fails(1, &["budgets.modules = 159, but it is 160 (1 more)", "drivers/net"]);
    run(&mut surface("module = 159")).fails(2, &["unknown key `module`; did you mean `modules`?"]);
    // What only a boot can tell passes without one, and that is said.
    let unknown = run(&mut surface("listeners = 1"));
    unknown.done();
    assert!(unknown.stderr.contains("budgets.listeners: not checked"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("budgets.init_lines: not checked"), "{}", unknown.stderr);
    let text = document(10, 160).replacen("\"setuid\"", "\"processes\"", 1);
    desk.file("edge.surface.json", text);
    run(&mut surface("modules = 160")).fails(1, &["budgets.setuid = 0, but nobody counted it"]);
    desk.file("edge.surface.json", document(10, 160));
    run(surface("listeners = 1").arg("--boot").arg(&boot))
        .fails(1, &["budgets.listeners = 1", "kubelet tcp 127.0.0.1"]);
    run(surface("listeners = 2\nprocesses = 1").arg("--boot").arg(&boot)).done();
}

#[test]
fn what_is_neither_image_nor_document_is_named() {
    let desk = Desk::new();
    let good = desk.file("good.json", document(1, 1));
    let surface = |image: &std::path::Path| {
        let mut command = orlop();
        command.arg("surface").arg(image);
        command
    };
    for (name, content) in [("bad.json", "{"), ("bad.json", "{\"version\": 7}"), ("bad.raw", "no image")] {
        let bad = desk.file(name, content);
        run(&mut surface(&bad)).fails(1, &[name]);
        run(surface(&good).arg("--previous").arg(&bad)).fails(1, &[name]);
    }
    let bad = desk.file("boot.json", "{\"phases\": []}");
    run(surface(&good).arg("--boot").arg(&bad))
        .fails(1, &["boot.json: it does not say both `listeners` and `processes`"]);
    let other = desk.file("boot.json", boot(&[]).replace("abab", "abcd"));
    run(surface(&good).arg("--boot").arg(&other))
        .fails(1, &["boot.json: it tells of a boot of the root hash abcdabcd", "and the image has abababab"]);
    run(&mut surface(&desk.path("missing.raw"))).fails(1, &["missing.raw", "No such file"]);
}
