//! Modules that others were compiled in place of: a fork, a folder.

use super::*;
use crate::formats::go_binary::sample::{GO_1_20, blob, elf, table};
use crate::inventory::sample;
use crate::report::cyclonedx;

const TEXT: &str = "path\texample.com/tool\n\
    mod\texample.com/tool\tv1.2.3\th1:one=\n\
    dep\texample.com/folder\tv1.0.0\n\
    =>\t../folder\t(devel)\t\n\
    dep\texample.com/forked\tv1.0.0\n\
    =>\texample.com/fork\tv1.0.1\th1:two=\n";

/// An advisory about all versions until one.
fn until(id: &str, module: &str, fixed: &str, symbols: &[&str]) -> Value {
    json!({"id": id, "published": "2026-06-01T00:00:00Z", "affected": [{
        "package": {"ecosystem": "Go", "name": module},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        "ecosystem_specific": {"imports": [{"path": module, "symbols": symbols}]}}]})
}

fn outcomes(inventory: &Inventory, database: &Database) -> Vec<(String, Outcome)> {
    let report = scan(inventory, database).unwrap();
    let mut outcomes: Vec<_> = report.findings.iter().map(|found| (found.id.clone(), found.outcome)).collect();
    outcomes.sort();
    outcomes
}

/// As govulncheck judges a fork. Of a folder, nobody knows how much of the module it is.
#[test]
fn a_fork_is_judged_by_its_own_name_and_version_and_a_folder_by_no_version() {
    let linked = table(GO_1_20, &["main.main", "example.com/forked.F", "example.com/folder.F"], &[]);
    let program = elf(&[(".go.buildinfo", blob("go1.26.8", TEXT)), (".gopclntab", linked)], true);
    let read = sample::of_program("example.com/tool@v1.2.3", &program);
    let database = made_up(&[
        until("FOLDER", "example.com/folder", "1.0.0", &["F"]),
        until("FORK", "example.com/fork", "1.0.2", &["F"]),
        until("FORK-MENDED", "example.com/fork", "1.0.1", &["F"]),
        until("FORK-UNUSED", "example.com/fork", "1.0.2", &["G"]),
        until("FORKED", "example.com/forked", "9.0.0", &["F"]),
    ]);
    let row = |id: &str, outcome| (id.to_owned(), outcome);
    let wanted = |fork, unused| [row("FOLDER", Outcome::Undecided), row("FORK", fork), row("FORK-UNUSED", unused)];
    let found = outcomes(&packages::of_inventory(&read), &database);
    assert_eq!(found, wanted(Outcome::Linked, Outcome::NotLinked));
    // The bill of materials says the same but for functions, of which it knows none.
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("tool.cdx.json");
    std::fs::write(&list, cyclonedx::render(&read, None)).unwrap();
    let found = outcomes(&packages::of_sbom(&list).unwrap(), &database);
    assert_eq!(found, wanted(Outcome::Affected, Outcome::Affected));
}
