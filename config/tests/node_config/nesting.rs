//! Documents that nest: no stack ends in them.

use super::{FULL, LARGEST, LEAST, Problems, parse};

/// PID 1's threads have more.
const STACK: usize = 512 * 1024;

fn parse_on_a_small_stack(text: &str) -> Result<(), Problems> {
    let text = text.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || parse(&text).map(drop));
    thread.expect("a thread").join().expect("an end")
}

/// As many as a document holds.
fn filled(start: &str, piece: &str) -> String {
    let room = LARGEST - LEAST.len() - start.len();
    format!("{LEAST}{start}{}", piece.repeat(room / piece.len()))
}

#[test]
fn what_nests_too_deep_is_refused_by_its_place() {
    let key = vec!["a"; 80].join(".");
    let dotted_in_brackets = format!("x = {}", format!("{{{key} = ").repeat(80));
    for text in [
        filled("x = ", "["),
        filled("x = ", "{a="),
        filled("x", ".x"),
        filled("[x", ".x"),
        filled("x = ", &format!("{{{key} = ")),
        format!("{LEAST}{dotted_in_brackets}1{}", "}".repeat(80)),
        // What is there a second time is dropped within the parser.
        format!("{LEAST}x = 1\n{dotted_in_brackets}1{}", "}".repeat(80)),
        filled("x = ", &format!("{{ {{[}} {key} ] = ")),
        filled("x = ", &format!("{{{key} , = ")),
        filled("", "[["),
    ] {
        let error = parse_on_a_small_stack(&text).expect_err("too deep").to_string();
        let says = "more than 16 levels of tables and lists in each other; close the brackets that are open";
        assert!(error.contains(says) && error.lines().count() == 1, "{error}");
        let at = text.lines().position(|line| line.starts_with(['x', '[']) && line.len() > 9).map(|line| line + 1);
        assert!(at > Some(18) && error.starts_with(&format!("node.toml:{}:1: ", at.unwrap_or_default())), "{error}");
    }
}

/// These have mistakes of other kinds. They stand below a header, which is a level, too.
#[test]
fn what_nests_as_deep_as_it_may_is_read() {
    let key = vec!["a"; 14].join(".");
    for text in [
        filled("", &format!("x = {}1{}\n", "[".repeat(15), "]".repeat(15))),
        filled("x = [", &format!("{}1{},", "{a=".repeat(14), "}".repeat(14))),
        filled("", &format!("[[{key}]]\n[[{key}.a]]\n")),
        filled("", "[a.a.a\n"),
        format!("{LEAST}x = {{[}} {key} ] = 1\n"),
        format!("{LEAST}{}", "x [ {\n".repeat(7)),
        format!("{LEAST}{}", "a = [\n".repeat(15)),
    ] {
        let error = parse_on_a_small_stack(&text).expect_err("no document").to_string();
        assert!(!error.contains("levels of tables and lists"), "{error}");
    }
    parse_on_a_small_stack(FULL).unwrap_or_else(|error| panic!("{error}"));
}
