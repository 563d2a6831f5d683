//! What must not be in a root: each finding names the path, the component and what to do.

use std::collections::BTreeMap;

use orlop::sources::{Produced, ProducedFile, ProducedKind, Project, hash};
use orlop::tree::{Content, Node, Tree, audit, collect};
use orlop_config::definition::Definition;

use crate::support::Desk;

/// `orlop:node` with one component of ours, which may put what it likes below `/opt/mine`.
fn definition(text: &str) -> Definition {
    let desk = Desk::new();
    let start = "extends = \"orlop:node\"\nname = \"mine\"\n[components.mine]\nsource.file.path = \"mine\"\n";
    let path = desk.file("mine.toml", format!("{start}allow = [\"/opt/mine/*\"]\n{text}\n"));
    Project::load(&path).unwrap().resolved.definition
}

fn file(mode: u32, bytes: &[u8]) -> Node {
    Node::File { mode, content: Content::Bytes(bytes.into()) }
}

/// The start of a program that names an interpreter: an ELF header, one PT_INTERP, its text.
fn dynamic_program() -> Vec<u8> {
    std::fs::read("/proc/self/exe").map(|bytes| bytes[..4096].to_vec()).unwrap()
}

/// The same without its interpreter: as a shared library is, which still needs others.
fn shared_library() -> Vec<u8> {
    const INTERP: u8 = 3;
    let mut bytes = std::fs::read("/proc/self/exe").unwrap();
    let headers = u64::from_le_bytes(bytes[32..40].try_into().unwrap()) as usize;
    let count = usize::from(bytes[56]);
    let entry = (0..count).map(|index| headers + index * 56).find(|at| bytes[*at] == INTERP).unwrap();
    bytes[entry] = 0;
    bytes
}

#[test]
fn everything_that_must_not_be_there_is_found() {
    let definition = definition("");
    let cases: [(&str, Node, &str); 13] = [
        ("/opt/other", file(0o644, b"x"), "no pattern of the component's `allow` names it"),
        ("/opt/mine/deep/x", file(0o644, b"x"), "no pattern of the component's `allow` names it"),
        ("/opt/mine/s", file(0o4755, b"x"), "setuid"),
        ("/opt/mine/g", file(0o2755, b"x"), "setgid"),
        ("/opt/mine/w", file(0o666, b"x"), "writable by everybody"),
        ("/opt/mine/i", file(0o755, b"#!/bin/sh\n"), "`#!/bin/sh`: the root has no interpreter"),
        ("/opt/mine/d", file(0o755, &dynamic_program()), "link it statically"),
        ("/opt/mine/n", file(0o644, &shared_library()), "needs shared libraries"),
        ("/opt/mine/sh", file(0o755, b"x"), "is an interpreter by its name"),
        ("/opt/mine/busybox", file(0o755, b"x"), "is an interpreter by its name"),
        ("/opt/mine/python3.13", file(0o755, b"x"), "is an interpreter by its name"),
        ("/opt/mine/perl5.40.1", file(0o711, b"x"), "is an interpreter by its name"),
        ("/opt/mine/l", Node::Link { target: "../../../etc/shadow".into() }, "leads out of the root"),
    ];
    for (path, node, says) in cases {
        let mut tree = Tree::default();
        tree.insert(path, "mine", node).unwrap();
        let findings = audit(&tree, &definition).unwrap();
        let text: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 1, "{path}: {text:?}");
        assert!(text[0].starts_with(&format!("{path} (component `mine`): ")) && text[0].contains(says), "{}", text[0]);
    }
}

#[test]
fn what_is_on_the_list_passes() {
    let mut tree = Tree::default();
    tree.insert("/opt/mine/x", "mine", file(0o644, b"x")).unwrap();
    tree.insert("/opt/mine/y", "mine", Node::Link { target: "x".into() }).unwrap();
    for name in ["sh.conf", "bashful", "3"] {
        tree.insert(&format!("/opt/mine/{name}"), "mine", file(0o755, b"x")).unwrap();
    }
    tree.insert("/opt/mine/python", "mine", file(0o644, b"a file about it")).unwrap();
    assert_eq!(audit(&tree, &definition("")).unwrap(), []);
}

fn produced(names: &[&str]) -> BTreeMap<String, Produced> {
    let kind = ProducedKind::File { size: 0, sha256: hash(b""), executable: false };
    let file = |name: &&str| (name.to_string(), ProducedFile { path: "/dev/null".into(), kind: kind.clone() });
    let files = names.iter().map(file).collect();
    BTreeMap::from([("mine".into(), Produced { files, version: "0".into(), origin: "mine".into(), sha256: hash(b"") })])
}

#[test]
fn a_source_without_the_file_says_what_it_has() {
    let definition = definition("install = { \"/opt/mine/x\" = \"x\" }");
    let error = collect(&mut Tree::default(), &definition, &produced(&["y", "z"])).unwrap_err().to_string();
    for says in ["component `mine`", "yields no `x`", "/opt/mine/x", "`y`, `z`"] {
        assert!(error.contains(says), "`{says}` is not in: {error}");
    }
    collect(&mut Tree::default(), &definition, &produced(&["x"])).unwrap();
}

#[test]
fn a_folder_that_brings_an_unexpected_file_is_seen_by_the_audit() {
    let definition = definition("install = { \"/opt/mine/\" = \".\" }");
    let mut tree = Tree::default();
    collect(&mut tree, &definition, &produced(&["good", "folder/unexpected"])).unwrap();
    let findings = audit(&tree, &definition).unwrap();
    let ours: Vec<&str> =
        findings.iter().filter(|finding| finding.component == "mine").map(|finding| finding.path.as_str()).collect();
    assert_eq!(ours, ["/opt/mine/folder/unexpected"]);
}
