//! Definitions that cannot be right: exit status 2, and where in which file.

use std::fs;

use crate::download;
use crate::support::server::{Answer, Server};
use crate::support::{Desk, orlop, run};

const START: &str = "extends = \"orlop:node\"\nname = \"mine\"\n";

/// What is written under [`START`], and what the error must say.
const WRONG: &[(&str, &str, &[&str])] = &[
    ("a misspelt key", "clas = \"public\"", &["mine.toml:3:1", "`clas`", "did you mean `class`?"]),
    ("a misspelt key deep down", "[kernel]\ncomand_line = []", &["mine.toml:4:1", "did you mean `command_line`?"]),
    ("a wrong type", "version = 1", &["mine.toml:3:11", "string"]),
    ("a wrong type in a list", "[kernel.modules]\nboot = [7]", &["mine.toml:4", "string"]),
    ("no TOML", "class = ", &["mine.toml:3"]),
    ("a component twice", "[components.a]\n[components.a]", &["mine.toml:4", "a"]),
    (
        "two sources",
        "[components.a.source]\nfile.path = \"x\"\nworkspace.package = \"y\"",
        &["mine.toml", "components"],
    ),
    (
        "two components with one path",
        "[components.a]\nsource.file.path = \"x\"\nallow = [\"/usr/bin/runc\"]\ninstall = { \"/usr/bin/runc\" = \"x\" }",
        &["`/usr/bin/runc` belongs to component `a` already", "install it once"],
    ),
    (
        "a path that its own list does not name",
        "[components.a]\nsource.file.path = \"x\"\ninstall = { \"/usr/bin/x\" = \"x\" }",
        &["`/usr/bin/x` is not on the component's `allow` list", "add a pattern for it"],
    ),
    ("a component that does not exist", "[kernel]\ncomponent = \"kernl\"", &["`kernl`", "did you mean `kernel`?"]),
    (
        "an ESP too small",
        "[partitions]\nesp_mib = 10",
        &["mine.toml:4", "10 MiB is too small, by 54 MiB", "it takes 64 to "],
    ),
    ("a partition of nothing", "[partitions]\nroot_mib = 0", &["mine.toml:4", "0 MiB is too small, by 1 MiB"]),
    (
        "a state partition too small for its filesystem",
        "[partitions]\nstate_mib = 255",
        &["mine.toml:4", "255 MiB is too small, by 1 MiB", "it takes 256 to "],
    ),
    ("a partition too large", "[partitions]\nstate_mib = 99999999", &["mine.toml:4", "99999999 MiB is too large"]),
    ("an unknown base", "[static_pods]\nhello = 3", &["mine.toml:4", "string"]),
    (
        "a kernel argument that starts something",
        "kernel.command_line = [\"gpt\", \"panic=10\", \"init=/x\"]",
        &["init=/x"],
    ),
];

#[test]
fn each_mistake_is_named_with_its_place() {
    let desk = Desk::new();
    for (what, text, says) in WRONG {
        let definition = desk.file("mine.toml", format!("{START}{text}\n"));
        for verb in ["build", "lock"] {
            let mut command = if verb == "build" { desk.build(&definition) } else { orlop() };
            if verb == "lock" {
                command.arg("lock").arg(&definition).env("ORLOP_CACHE", desk.path("cache"));
            }
            println!("{what}, {verb}");
            run(&mut command).fails(2, says);
        }
        desk.nothing_built();
        assert!(!desk.path("mine.lock").exists(), "{what}: a lockfile of a wrong definition");
    }
}

#[test]
fn a_circle_of_definitions_is_shown() {
    let desk = Desk::new();
    let first = desk.file("first.toml", "extends = \"other/second.toml\"\n");
    desk.file("other/second.toml", "extends = \"../first.toml\"\n");
    run(&mut desk.build(&first)).fails(2, &["goes in a circle", "first.toml", "second.toml", "→"]);
    let alone = desk.file("alone.toml", "extends = \"alone.toml\"\n");
    run(&mut desk.build(&alone)).fails(2, &["alone.toml:1:11", "goes in a circle"]);
}

#[test]
fn a_definition_that_is_not_there_or_no_text_is_named() {
    let desk = Desk::new();
    run(&mut desk.build(&desk.path("missing.toml"))).fails(2, &["missing.toml", "No such file", "orlop:standalone"]);
    let bytes = desk.file("bytes.toml", b"name = \"\xff\xfe\"");
    run(&mut desk.build(&bytes)).fails(2, &["bytes.toml: not a definition: it is no UTF-8 text"]);
    run(&mut desk.build(&desk.path("keys"))).fails(2, &["keys"]);
    let base = desk.file("base.toml", "extends = \"orlop:noed\"\n");
    run(&mut desk.build(&base)).fails(2, &["base.toml:1:11", "no shipped definition `noed`", "orlop:node"]);
    let empty = desk.file("empty.toml", "");
    run(&mut desk.build(&empty)).fails(2, &["empty.toml", "name"]);
    desk.nothing_built();
}

#[test]
fn a_static_pod_by_another_name_is_refused_before_anything_is_fetched() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    let pod = desk.path("images/pods/hello.yaml");
    let text = fs::read_to_string(&pod).unwrap();
    fs::write(&pod, text.replacen("name: hello", "name: hallo", 1)).unwrap();
    let says = ["hello.yaml:", "the pod is called `hallo`", "the definition calls it `hello`"];
    run(desk.build(&definition).arg("--offline")).fails(2, &says);
    desk.nothing_built();
}

#[test]
fn a_file_that_is_named_and_not_there_is_a_wrong_definition() {
    let desk = Desk::new();
    let definition = desk.copy_of_standalone("");
    fs::remove_file(desk.path("images/pods/hello.yaml")).unwrap();
    let says =
        ["images/pods/hello.yaml (the manifest of static pod `hello`)", "No such file", "correct the definition"];
    run(desk.build(&definition).arg("--offline")).fails(2, &says);
    desk.nothing_built();

    // This definition's other component is somewhere else, where nobody is asked before this is said.
    let server = Server::start(Answer::NotFound);
    let definition = download::definition(&desk, &server, "url");
    let text = fs::read_to_string(&definition).unwrap();
    fs::write(&definition, format!("{text}[components.mine]\nsource.file.path = \"files/mine\"\n")).unwrap();
    let mut lock = orlop();
    lock.arg("lock").arg(&definition).env("ORLOP_CACHE", desk.path("cache"));
    run(&mut lock).fails(2, &["files/mine (component `mine`)", "No such file", "correct the definition"]);
    assert_eq!(server.requests(), Vec::<String>::new());
}
