//! Whoever gives something else than a node config is told what to do.

use super::{FULL, LEAST, error_of, parse};

#[test]
fn texts_of_other_kinds_are_called_what_they_are() {
    for (text, kind) in [
        ("#cloud-config\nhostname: a\n", "cloud-config"),
        ("#cloud-config\n", "cloud-config"),
        ("\u{feff}#cloud-config\npackages: [a]\n", "cloud-config"),
        ("#!/bin/sh\nset -e\n", "a script"),
        ("{\"ignition\": {}}", "JSON"),
        ("---\nversion: 1\n", "YAML"),
        ("apiVersion: v1\nkind: Pod\n", "YAML"),
        ("Content-Type: multipart/mixed; boundary=\"a\"\n", "MIME"),
    ] {
        let error = error_of(text);
        let next = format!("; this is {kind}, and a node config is TOML of its own: docs/node-config.md describes it");
        assert!(error.ends_with(&next), "{error}\nhas no\n{next}");
    }
    let comment = format!("#!orlop\n#cloud-config it is none\n{LEAST}");
    parse(&comment).unwrap_or_else(|error| panic!("{error}"));
    let error = error_of(&comment.replace("server", "sever"));
    assert!(error.ends_with("unknown key `sever`; did you mean `server`?"), "{error}");
}

#[test]
fn mistakes_of_toml_have_a_remedy() {
    for (line, said) in [
        ("a = x", "string values must be quoted, expected literal string; write text in quotes"),
        ("a b = 1", "key with no value, expected `=`; write each line as `KEY = VALUE` or `[TABLE]`"),
        ("a = [1", "unclosed array, expected `]`; close the bracket"),
        ("[a", "unclosed table, expected `]`; close the bracket"),
        ("a = \"x", "invalid basic string, expected `\"`; close the quotes"),
        ("a = 'x", "invalid literal string, expected `'`; close the quotes"),
        ("a = \"\\q\"", "; write `\\\\` where a backslash is meant"),
        (
            "a/b = 1",
            "invalid unquoted key, expected letters, numbers, `-`, `_`; write a key with other letters in quotes",
        ),
        ("a = 01", "; docs/node-config.md says how it is written"),
        ("a = 1\na = 2", "`a` is defined twice in one file; keep one of the two, or rename one"),
    ] {
        let error = error_of(&format!("version = 1\n{line}"));
        assert!(error.contains(said) && error.lines().count() == 1, "{error}\nhas no\n{said}");
    }
}

#[test]
fn a_key_of_another_place_is_sent_there() {
    let at = LEAST.lines().count() + 1;
    let above = "put it above the first `[table]`: what stands below a header is that table's";
    let quotes = "write the host in quotes: `[registries.\"docker.io\"]`";
    let own = "it is a table of its own: `[labels]`, or `labels = { … }` above the first `[table]`";
    for (more, said) in [
        ("hostname = \"x\"\n", format!("{at}:1: cluster: unknown key `hostname`; {above}")),
        ("extra_cas = []\n", format!("{at}:1: cluster: unknown key `extra_cas`; {above}")),
        ("[[taints]]\nclass = \"x\"\n", format!("{}:1: taints[0]: unknown key `class`; {above}", at + 1)),
        ("[kubelet]\nhostnam = \"x\"\n", format!("{}:1: kubelet: unknown key `hostnam`; known here: ", at + 1)),
        ("[registries.docker.io]\nca = \"x\"\n", format!(": registries.docker: unknown key `io`; {quotes}")),
        ("[registries.192.0.2.1]\nca = \"x\"\n", format!(": registries.192: unknown key `0`; {quotes}")),
        ("[registries]\ndocker.io = {}\n", format!(": registries.docker: unknown key `io`; {quotes}")),
        ("[registries.mine]\nc = \"x\"\n", ": registries.mine: unknown key `c`; did you mean `ca`?".into()),
        ("labels = { a = \"b\" }\n", format!("{at}:1: cluster: unknown key `labels`; {own}")),
        ("[cluster.labels]\na = \"b\"\n", format!("cluster: unknown key `labels`; {own}")),
        ("network = []\n", format!("{at}:1: cluster: unknown key `network`; did you mean `networks`?")),
    ] {
        let error = error_of(&format!("{LEAST}{more}"));
        assert!(error.contains(&said) && error.lines().count() == 1, "{error}\nhas no\n{said}");
    }
}

#[test]
fn what_is_missing_at_the_top_has_a_remedy() {
    let error = error_of("version = 1\n");
    assert_eq!(error, "node.toml:1:1: missing key `cluster`; add a table `[cluster]` with `server`, `ca` and `token`");
    assert_eq!(
        error_of("version = \"1\""),
        "node.toml:1:11: version: expected an integer, found a string; write `version = 1`"
    );
}

/// Each value of the full document in turn is one of another type.
#[test]
fn a_value_of_another_type_has_a_remedy_wherever_it_stands() {
    let mut wrong = 0;
    for (index, line) in FULL.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains([' ', '{'])) else { continue };
        for value in ["1.5", "[[1.5]]", "{ a = 1.5 }", "-1", "\"a\"", "99999999999999999999"] {
            let lines = FULL.lines().enumerate();
            let lines =
                lines.map(|(at, line)| if at == index { format!("{key} = {value}\n") } else { format!("{line}\n") });
            let Err(problems) = parse(&lines.collect::<String>()) else { continue };
            wrong += 1;
            let all = problems.0.iter().all(|mistake| mistake.next.as_ref().is_some_and(|next| !next.is_empty()));
            assert!(all, "what is to be done? {problems}");
        }
    }
    assert!(wrong > 100, "{wrong}");
}
