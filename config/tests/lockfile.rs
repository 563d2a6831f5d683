//! Lockfiles: stable text, errors that name what is wrong, and no panic on any text.

mod shipped;

use std::collections::{BTreeMap, BTreeSet};

use orlop_config::definition::Definition;
use orlop_config::lockfile::{Input, LockError, Lockfile, VERSION, parse, render, request_digest_input, toolchains};
use proptest::prelude::*;
use shipped::{NODE, STANDALONE, resolve};

const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn node() -> Definition {
    resolve(NODE).expect("shipped").definition
}

fn input(name: &str) -> Input {
    let (kind, version, origin) = ("go".into(), "1.2.3".into(), format!("example.org/{name}@v1.2.3"));
    Input { kind, name: name.into(), version, origin, sha256: SUM.into(), size: None }
}

/// A lockfile that fits the shipped node.
fn sample() -> Lockfile {
    let components = node().components.into_keys();
    let mut inputs: BTreeMap<String, Input> = components.map(|name| (name.clone(), input(&name))).collect();
    let tool = Input { kind: "deb".into(), size: Some(123), ..input("erofs-utils") };
    inputs.insert("tool.erofs-utils".into(), tool);
    let carried = Input { kind: "workspace".into(), sha256: String::new(), ..input("orlop-init") };
    inputs.insert("init".into(), carried);
    Lockfile { version: VERSION, definition: "node".into(), request: "r".into(), epoch: 1_700_000_000, inputs }
}

#[test]
fn text_is_sorted_one_table_an_input_and_reads_back() {
    let text = render(&sample());
    let start = "# Made by `orlop lock`: every input of the image. Made to be read in a diff, not to be edited.\n\
                 version = 1\ndefinition = \"node\"\nrequest = \"r\"\nepoch = 1700000000\n\n[inputs.ca-certificates]\n\
                 kind = \"go\"\nname = \"ca-certificates\"\nversion = \"1.2.3\"\n";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("\n[inputs.\"tool.erofs-utils\"]\n"), "{text}");
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    let bare = |line: &&str| line.replace(['"', ']'], "");
    assert!(tables.is_sorted_by_key(bare), "{tables:?}");
    assert_eq!(parse("node.lock", &text), Ok(sample()));
    assert_eq!(render(&parse("node.lock", &text).expect("sound")), text);
}

#[test]
fn altered_text_is_refused_with_its_place() {
    let text = render(&sample());
    for (from, to, expected) in [
        ("version = 1", "version = 2", "node.lock: its format is version 2, and this `orlop` knows version 1"),
        ("epoch =", "epch =", "node.lock:5:1: unknown key `epch`; did you mean `epoch`?"),
        ("kind = \"go\"", "kind = \"snap\"", "node.lock:8:8: `snap` is no kind of input"),
        ("e3b0", "E3b0", "934ca495991b7852b855` is not a SHA-256; a lockfile is not edited"),
        ("version = \"1.2.3\"", "version = \"\"", "`version` is empty"),
        ("size = 123", "size = -1", "invalid value: integer `-1`"),
        ("size = 123", "size = 9999999999999999999", "`9999999999999999999` bytes are more than any file has"),
        ("epoch = 1", "epoch = 99999", "node.lock:5:9: `99999700000000` is no time of this century"),
        ("[inputs.cni]", "[inputs.containerd]", "`[inputs.containerd]` is defined twice in one file"),
    ] {
        assert!(text.contains(from), "no {from} in\n{text}");
        let error = parse("node.lock", &text.replacen(from, to, 1)).expect_err(to).to_string();
        assert!(error.contains(expected), "{error}\nhas no\n{expected}");
        assert!(error.starts_with("node.lock:"), "{error}");
    }
}

#[test]
fn it_belongs_to_one_definition_in_one_state() {
    let (lockfile, node) = (sample(), node());
    assert_eq!(lockfile.belongs_to("node.lock", &node, "r"), Ok(()));
    let standalone = resolve(STANDALONE).expect("shipped").definition;
    let error = lockfile.belongs_to("node.lock", &standalone, "r").expect_err("another definition");
    assert_eq!(
        error.to_string(),
        "node.lock: it locks the definition `node`, not `standalone`; make one with `orlop lock`"
    );
    let error = lockfile.belongs_to("node.lock", &node, "s").expect_err("changed");
    assert!(matches!(error, LockError::Stale { .. }), "{error}");
    let mut short = lockfile.clone();
    short.inputs.remove("runc");
    let error = short.belongs_to("node.lock", &node, "r").expect_err("an input is missing").to_string();
    assert!(error.contains("component `runc` is not in it") && error.contains("orlop lock"), "{error}");
    let mut long = lockfile;
    long.inputs.insert("left".into(), input("left"));
    let error = long.belongs_to("node.lock", &node, "r").expect_err("an input too many").to_string();
    assert!(error.contains("`left` is no component any more"), "{error}");
}

#[test]
fn the_request_is_what_changes_inputs_and_nothing_else() {
    let request = |text: &str| request_digest_input(&resolve(text).expect("sound").definition);
    let over = |text: &str| request(&format!("extends = \"orlop:node\"\n{text}"));
    assert_eq!(request(NODE), over(""));
    assert_eq!(request(NODE), over("version = \"2\"\n[budgets]\nfiles = 1\n[partitions]\nroot_mib = 99"));
    assert_eq!(request(NODE), over("[kernel.modules]\nearly = [\"overlay\"]"));
    assert_ne!(request(NODE), over("kubernetes = \"1.36\""));
    assert_ne!(request(NODE), over("[components.runc.source.go]\nversion = \"1.4\""));
    assert_ne!(request(NODE), request(STANDALONE));
}

#[test]
fn toolchains_follow_from_the_sources() {
    let names = toolchains(&node());
    let expected = ["library.libseccomp", "tool.e2fsprogs", "tool.erofs-utils", "toolchain.go", "toolchain.zig"];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn no_cut_of_a_lockfile_panics_or_passes_for_the_whole() {
    let text = render(&sample());
    for end in 0..text.trim_end().len() {
        assert_ne!(parse("node.lock", &text[..end]), Ok(sample()), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*") {
        let _ = parse("f", &text);
    }

    #[test]
    fn arbitrary_changes_never_panic(at in 0usize..900, text in "[\\x00-\\x7fä]{0,8}") {
        let whole = render(&sample());
        let at = at.min(whole.len());
        let _ = parse("f", &format!("{}{text}{}", &whole[..at], &whole[(at + 3).min(whole.len())..]));
    }

    #[test]
    fn every_lockfile_reads_back(
        names in prop::collection::btree_set("[a-z0-9.-]{1,12}", 0..5),
        origin in "\\PC*",
        epoch in 0u64..1 << 32,
    ) {
        let inputs = names.into_iter().map(|name| (name.clone(), Input { origin: origin.clone(), ..input(&name) }));
        let lockfile = Lockfile { epoch, inputs: inputs.collect(), ..sample() };
        prop_assert_eq!(parse("f", &render(&lockfile)), Ok(lockfile));
    }
}

#[test]
fn every_cut_of_a_shipped_lockfile_is_an_error_or_has_fewer_inputs() {
    let text = include_str!("../../images/node.lock");
    let whole = parse("node.lock", text).unwrap();
    let mut read = 0;
    // Each end of a line with what is beside it, and a sample of the rest.
    let lines = text.match_indices('\n').flat_map(|(at, _)| [at, at + 1, at + 2]);
    let ends: BTreeSet<usize> =
        lines.chain((0..text.len()).step_by(13)).filter(|end| text.is_char_boundary(*end)).collect();
    for end in &ends {
        let Ok(cut) = parse("node.lock", &text[..*end]) else { continue };
        read += 1;
        assert!(cut.inputs.keys().all(|name| whole.inputs.contains_key(name)), "cut at {end}");
    }
    assert!(read < ends.len() / 3, "{read} of {} beginnings are taken for lockfiles", ends.len());
}
