//! Lockfiles that are missing, altered or somebody else's: exit status 1, since `orlop lock` mends them and the
//! definition is right as it is.

use std::fs;

use crate::support::{Desk, run, workspace};

#[test]
fn a_missing_lockfile_says_what_makes_it() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    fs::remove_file(desk.path("images/standalone.lock")).unwrap();
    run(&mut desk.build(&definition))
        .fails(1, &["standalone.lock", "No such file", "`orlop lock DEFINITION` makes it"]);
    desk.nothing_built();
}

#[test]
fn another_definitions_lockfile_is_refused() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    fs::copy(desk.path("images/node.lock"), desk.path("images/standalone.lock")).unwrap();
    run(&mut desk.build(&definition)).fails(1, &["locks the definition `node`, not `standalone`", "orlop lock"]);
}

#[test]
fn a_definition_that_asks_for_more_than_was_locked_is_refused() {
    let desk = Desk::new();
    let new = "[components.more]\nsource.file.path = \"more.txt\"";
    let definition = desk.copy_of_standalone(new);
    desk.file("images/more.txt", "more\n");
    run(&mut desk.build(&definition)).fails(1, &["component `more` is not in it", "run `orlop lock` again"]);
    let definition = desk.copy_of_standalone("[components.ca-certificates.source.deb]\nsuite = \"bookworm\"");
    run(&mut desk.build(&definition)).fails(1, &["sources, versions or toolchains differ", "run `orlop lock` again"]);
    desk.nothing_built();
}

/// What is replaced in the lockfile by what, and what the error says.
const ALTERED: &[(&str, &str, &[&str])] = &[
    ("version = 1\n", "version = 2\n", &["standalone.lock", "version 2", "`orlop lock`"]),
    ("kind = \"deb\"", "kind = \"dab\"", &["standalone.lock:", "`dab` is no kind of input"]),
    ("definition = ", "defnition = ", &["standalone.lock:", "defnition"]),
    ("sha256 = \"", "sha256 = \"x", &["standalone.lock:", "is not a SHA-256", "not edited by hand"]),
    ("epoch = ", "epoch = 99", &["standalone.lock:", "no time of this century"]),
    ("[inputs.cri]", "[inputs.irc]", &["component `cri` is not in it"]),
    ("request = \"", "request = \"0", &["sources, versions or toolchains differ"]),
];

#[test]
fn every_alteration_is_noticed() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let lock = desk.path("images/standalone.lock");
    let text = fs::read_to_string(&lock).unwrap();
    for (old, new, says) in ALTERED {
        assert!(text.contains(old), "{old}");
        fs::write(&lock, text.replacen(old, new, 1)).unwrap();
        run(desk.build(&definition).arg("--offline")).fails(1, says);
    }
    for cut in [text.len() / 3, text.len() / 2] {
        fs::write(&lock, &text[..cut]).unwrap();
        run(desk.build(&definition).arg("--offline")).fails(1, &["standalone.lock"]);
    }
    desk.nothing_built();
}

#[test]
fn the_shipped_lockfiles_belong_to_their_definitions() {
    let desk = Desk::new();
    for name in ["node", "standalone"] {
        // With an empty cache the first thing that is missing is a download: the lockfile was accepted.
        let definition = workspace().join(format!("images/{name}.toml"));
        run(desk.build(&definition).arg("--offline")).fails(1, &["is not in the cache", "orlop lock --fetch"]);
    }
}
