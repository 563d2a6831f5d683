//! Lockfiles that are missing, altered or somebody else's: exit status 1, since `orlop lock` mends them and the
//! definition is right as it is.

use std::fs;
use std::path::Path;

use crate::support::server::Server;
use crate::support::{Desk, Outcome, orlop, run, workspace};

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
    ("version = \"v1.37.", "version = \"v1.37.9", &["input `kubelet`", "its origin", "orlop lock"]),
    ("k8s.io/kubernetes@v1.37.", "k8s.io/kubernetes@v1.37.9", &["input `kubelet`", "its origin", "orlop lock"]),
    ("version = \"6.12.", "version = \"6.13.", &["input `kernel`", "its origin", "run `orlop lock DEFINITION`"]),
    ("name = \"systemd-boot-efi\"", "name = \"systemd\"", &["input `stub`", "the definition says `systemd-boot-efi`"]),
    ("origin = \"orlop 0.", "origin = \"orlop 10.", &["input `cri`", "this program carries orlop-cri"]),
    ("epoch = ", "epoch = = ", &["standalone.lock:", "make it anew with `orlop lock"]),
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
        run(desk.build(&definition).arg("--offline")).fails(1, &["standalone.lock", "orlop lock"]);
    }
    desk.nothing_built();
}

/// `orlop lock` where nothing can be resolved: what is locked already must do.
fn lock(desk: &Desk, definition: &Path, arguments: &[&str]) -> Outcome {
    let mut command = orlop();
    command.arg("lock").arg(definition).args(arguments).env("ORLOP_CACHE", desk.path("cache"));
    command.env("ORLOP_DEBIAN_MIRROR", Server::closed().url("debian")).env("GOPROXY", "off").env("GOFLAGS", "");
    run(&mut command)
}

#[test]
fn an_update_says_what_it_changed_and_changes_nothing_else() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let path = desk.path("images/standalone.lock");
    let shipped = fs::read_to_string(&path).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let own = |version: &str| format!("name = \"orlop-cri\"\nversion = \"{version}\"\norigin = \"orlop {version}\"");
    assert!(shipped.contains(&own(version)));
    fs::write(&path, shipped.replace(&own(version), &own("0.0.9"))).unwrap();
    let outcome = lock(&desk, &definition, &["--update", "cri"]);
    assert_eq!(outcome.done(), format!("cri 0.0.9 → {version}\n"));
    assert_eq!(fs::read_to_string(&path).unwrap(), shipped);
    assert!(lock(&desk, &definition, &[]).done().ends_with("standalone.lock: nothing changed\n"));
}

#[test]
fn an_update_of_what_is_no_input_is_wrong_usage() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let before = fs::read(desk.path("images/standalone.lock")).unwrap();
    lock(&desk, &definition, &["--update", "nosuch"]).fails(2, &["no input `nosuch`", "kubelet", "tool.erofs-utils"]);
    lock(&desk, &definition, &["--update", "kubelt"]).fails(2, &["no input `kubelt`; did you mean `kubelet`?"]);
    lock(&desk, &definition, &["--update", "kubelet@1.36.0"]).fails(2, &["the definition asks for `1.37`"]);
    lock(&desk, &definition, &["--update", "cri@2"]).fails(2, &["its version stands in the definition"]);
    assert_eq!(fs::read(desk.path("images/standalone.lock")).unwrap(), before);
}

#[test]
fn a_lockfile_that_cannot_be_read_is_not_silently_made_anew() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let broken = desk.file("images/standalone.lock", "version = = 1\n");
    let says = ["standalone.lock:1", "every input is resolved anew", "is there a network?"];
    lock(&desk, &definition, &[]).fails(1, &says);
    assert_eq!(fs::read_to_string(broken).unwrap(), "version = = 1\n");
}

#[test]
fn a_shipped_definition_has_its_lockfile_and_nobody_writes_it() {
    let desk = Desk::new();
    // With an empty cache the first thing that is missing is a download: the lockfile was found.
    let carried = Path::new("orlop:standalone");
    run(desk.build(carried).arg("--offline")).fails(1, &["is not in the cache", "orlop lock --fetch"]);
    lock(&desk, carried, &[]).fails(2, &["is carried by this program", "extends = \"orlop:standalone\""]);
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
