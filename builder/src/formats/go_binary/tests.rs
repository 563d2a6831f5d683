use proptest::prelude::*;

use super::sample::{GO_1_20, blob, elf, table};
use super::*;

const TEXT: &str = "path\texample.com/tool/cmd/tool\n\
    mod\texample.com/tool\tv1.2.3\th1:one=\n\
    dep\tgolang.org/x/net\tv0.35.0\th1:two=\n\
    dep\tk8s.io/api\tv0.0.0\n\
    =>\tk8s.io/api\tv0.37.2\th1:three=\n\
    build\t-buildmode=exe\n\
    build\t-ldflags=\"-s -w -X 'a=b\\\"\\\\\\x41\\u00e9\\101'\"\n\
    build\tDefaultGODEBUG=\n\
    build\t`with space`=`a\\b`\n\
    later\tversions say more\n";

const LINKED: [&str; 5] =
    ["main.main", "net/http.(*Client).Do", "golang.org/x/net/html.Parse", "cmpbody", "example.com/tool/inner.F"];
const INLINED: [&str; 3] = ["net/http.(*Client).do[...]", "type:.eq.net/http.body", "gopkg.in/yaml%2ev2.Unmarshal"];

fn program() -> Vec<u8> {
    let functions = table(GO_1_20, &LINKED, &INLINED);
    elf(&[(".go.buildinfo", blob("go1.26.8", TEXT)), (".gopclntab", functions)], true)
}

fn problem<T: std::fmt::Debug>(result: Result<T, GoBinaryError>) -> Problem {
    let error = result.unwrap_err();
    assert!(error.to_string().starts_with("tool: "), "{error}");
    error.problem
}

#[test]
fn what_a_program_was_built_from() {
    let program = program();
    assert!(is_go(&program));
    let info = build_info(&program, "tool").unwrap();
    assert_eq!((&*info.go_version, &*info.path), ("go1.26.8", "example.com/tool/cmd/tool"));
    let modules: Vec<_> = info.modules().map(|module| (&*module.path, &*module.compiled().version)).collect();
    assert_eq!(modules, [("example.com/tool", "v1.2.3"), ("golang.org/x/net", "v0.35.0"), ("k8s.io/api", "v0.37.2")]);
    assert_eq!(info.dependencies[1].version, "v0.0.0");
    assert_eq!(info.setting("-buildmode"), Some("exe"));
    assert_eq!(info.setting("-ldflags"), Some("-s -w -X 'a=b\"\\AéA'"));
    assert_eq!((info.setting("DefaultGODEBUG"), info.setting("with space")), (Some(""), Some("a\\b")));
    assert_eq!(info.setting("none"), None);
    let shown = info.to_string();
    assert!(shown.contains("\tdep\tk8s.io/api\tv0.0.0\n\t=>\tk8s.io/api\tv0.37.2\th1:three=\n"), "{shown}");
    assert!(shown.contains("\tbuild\t\"with space\"=a\\b\n"), "{shown}");
}

#[test]
fn which_functions_are_linked_and_which_inlined() {
    for magic in [GO_1_20, 0xffff_fff0] {
        let file = elf(&[(".data.rel.ro.gopclntab", table(magic, &LINKED, &INLINED))], true);
        let mut functions = functions(&file, "tool").unwrap();
        assert_eq!(functions.len(), 6);
        assert!(functions.has("net/http", "Client.Do") && functions.has("net/http", "Client.do"));
        assert!(
            functions.is_only_inlined("net/http", "Client.do") && !functions.is_only_inlined("net/http", "Client.Do")
        );
        assert!(functions.has_package("gopkg.in/yaml.v2") && !functions.has_package("gopkg.in/yaml"));
        assert!(!functions.has("net/http", "Get") && !functions.has("net", "Client.Do"));
        functions.name_main("example.com/tool/cmd/tool");
        assert!(functions.has("example.com/tool/cmd/tool", "main") && !functions.has_package("main"));
    }
}

#[test]
fn packages_of_no_listed_module_are_named() {
    let program = program();
    let (mut info, functions) = (build_info(&program, "tool").unwrap(), functions(&program, "tool").unwrap());
    assert_eq!(unaccounted(&info, &functions), ["gopkg.in/yaml.v2"]);
    let mut promoted = Functions::default();
    promoted.add("golang.org/x/net.option.google.golang.org/grpc.after", true);
    assert!(unaccounted(&info, &promoted).is_empty());
    promoted.add("golang.org/x/network.F", true);
    promoted.add("golang.org/x/net%2ev2.F", true);
    assert_eq!(unaccounted(&info, &promoted), ["golang.org/x/net.v2", "golang.org/x/network"]);
    info.dependencies.clear();
    assert_eq!(unaccounted(&info, &functions), ["golang.org/x/net/html", "gopkg.in/yaml.v2"]);
}

#[test]
fn what_was_compiled_is_known_by_path_and_version_of_its_replacement_where_that_has_one() {
    let known_as = |replaced: &str| {
        let text = format!("path\tmain\ndep\ta.b/c\tv1.0.0\n{replaced}");
        let info = build_info(&elf(&[(".go.buildinfo", blob("go1.26.8", &text))], true), "tool").unwrap();
        let (path, version) = info.dependencies[0].known_as();
        format!("{path} {}", version.unwrap_or("?"))
    };
    for (replaced, wanted) in [
        ("", "a.b/c v1.0.0"),
        ("=>\ta.b/c\tv1.0.1\th1:x\n", "a.b/c v1.0.1"),
        ("=>\tx.y/fork\tv1.0.1-0.2026\th1:x\n", "x.y/fork v1.0.1-0.2026"),
        // A folder, as versions of Go write it.
        ("=>\t./c\t\n", "a.b/c ?"),
        ("=>\t../c\t(devel)\t\n", "a.b/c ?"),
        ("=>\t/build/c\tv1.0.0\t\n", "a.b/c ?"),
    ] {
        assert_eq!(known_as(replaced), wanted, "{replaced:?}");
    }
}

#[test]
fn functions_of_a_fork_have_the_forks_path() {
    let replaced = |path: &str, by: &str, version: &str| {
        let module = |path: &str, version: &str| Module {
            path: path.into(),
            version: version.into(),
            sum: String::new(),
            replaced_by: None,
        };
        Module { replaced_by: Some(Box::new(module(by, version))), ..module(path, "v0.0.0") }
    };
    // The one takes the other's place, and a module below it is its own.
    let dependencies = vec![
        replaced("a.b/c", "x.y/c", "v1.0.0"),
        replaced("a.b/c/own", "./own", ""),
        replaced("x.y/c", "a.b/c", "v1.0.0"),
    ];
    let info = BuildInfo { dependencies, ..BuildInfo::default() };
    let mut functions = Functions::default();
    for name in ["a.b/c.F", "a.b/c/in.F", "a.b/c/own.F", "a.b/cc.F", "x.y/c.G", "net/http.Get"] {
        functions.add(name, true);
    }
    name_forks(&info, &mut functions);
    let packages: Vec<&str> = functions.packages().collect();
    assert_eq!(packages, ["a.b/c", "a.b/c/own", "a.b/cc", "net/http", "x.y/c", "x.y/c/in"]);
    assert!(functions.has("x.y/c", "F") && functions.has("a.b/c", "G") && !functions.has("a.b/c", "F"));
}

#[test]
fn functions_of_two_programs_are_those_of_either() {
    let (mut one, mut other) = (Functions::default(), Functions::default());
    one.add("a.b/c.F", false);
    other.add("a.b/c.F", true);
    other.add("a.b/c.G", false);
    one.merge(other);
    assert!(!one.is_only_inlined("a.b/c", "F") && one.is_only_inlined("a.b/c", "G"));
    assert_eq!(one.len(), 2);
}

#[test]
fn what_is_no_program_of_go_says_so() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01\x01", b"\x7fELF\x02\x02\x01"] {
        assert!(!is_go(bytes));
        assert!(matches!(problem(build_info(bytes, "tool")), Problem::Elf(_)), "{bytes:?}");
        assert!(matches!(problem(functions(bytes, "tool")), Problem::Elf(_)), "{bytes:?}");
    }
    // This very test.
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(!is_go(&own));
    assert_eq!(problem(build_info(&own, "tool")), Problem::NotGo);
    assert_eq!(problem(functions(&own, "tool")), Problem::NotGo);
}

/// Never the same as a program with nothing in it.
#[test]
fn what_was_taken_out_is_told_apart() {
    let without = elf(&[(".gopclntab", table(GO_1_20, &LINKED, &[]))], true);
    assert_eq!(problem(build_info(&without, "tool")), Problem::NoBuildInfo);
    let without = elf(&[(".go.buildinfo", blob("go1.26.8", TEXT))], true);
    assert_eq!(problem(functions(&without, "tool")), Problem::NoFunctions);
    // Only the note of the linker is left.
    let without = elf(&[(".note.go.buildid", vec![0; 16])], true);
    assert!(is_go(&without));
    assert_eq!(problem(build_info(&without, "tool")), Problem::NoBuildInfo);
}

#[test]
fn without_section_headers_the_build_information_is_found_in_what_can_be_written() {
    let bare = elf(&[(".data", vec![7; 48]), (".go.buildinfo", blob("go1.26.8", TEXT))], false);
    assert!(is_go(&bare));
    assert_eq!(build_info(&bare, "tool").unwrap().dependencies.len(), 2);
    assert_eq!(problem(functions(&bare, "tool")), Problem::NoFunctions);
}

#[test]
fn a_program_without_modules_lists_none() {
    let file = elf(&[(".go.buildinfo", blob("go1.26.8", ""))], true);
    let info = build_info(&file, "tool").unwrap();
    assert_eq!((&*info.go_version, info.path.as_str(), info.main), ("go1.26.8", "", None));
}

#[test]
fn damaged_build_information_is_an_error_with_its_place() {
    let read = |blob: Vec<u8>| problem(build_info(&elf(&[(".go.buildinfo", blob)], true), "tool"));
    let mut old = blob("go1.17", TEXT);
    old[15] = 0;
    assert_eq!(read(old), Problem::OldBuildInfo { offset: 128 + 15, flags: 0 });
    for (bytes, wanted) in [
        (blob("", TEXT), "no version of Go"),
        (blob("go1.26.8", TEXT)[..20].to_vec(), "20 bytes, shorter than its header"),
        (blob("go1.26.8", TEXT)[..32].to_vec(), "a length without an end"),
        (blob("go1.26.8", TEXT)[..80].to_vec(), "bytes where"),
        ([&blob("go1", TEXT)[..32], &[0xff; 12]].concat(), "a length without an end"),
        (
            [&blob("go1", TEXT)[..32], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat(),
            "a text of 9223372036854775807 bytes",
        ),
        ([&blob("go1", TEXT)[..32], &[2, 0xff, 0xfe, 0]].concat(), "not UTF-8"),
    ] {
        let problem = read(bytes);
        assert!(problem.to_string().contains(wanted) && problem.to_string().contains("offset 0x"), "{problem}");
    }
}

#[test]
fn a_line_that_cannot_be_is_an_error_with_its_number() {
    for (line, wanted) in [
        ("mod\tonly-a-path", "expected a path"),
        ("dep\ta\tb\tc\td", "expected a path"),
        ("=>\ta\tv1\th1:x", "no module before it"),
        ("build\tno-equals", "without `=`"),
        ("build\t=value", "without a key"),
        ("build\t\"open=value", "quotes do not end"),
        ("build\t\"key\"value", "behind its key"),
        ("build\tkey=\"open", "quotes do not end"),
        ("build\tkey=\"\\q\"", "quotes do not end"),
        ("build\tkey=\"\\xff\"", "quotes do not end"),
        ("build\tkey=\"\\ud800\"", "quotes do not end"),
    ] {
        let file = elf(&[(".go.buildinfo", blob("go1.26.8", &format!("path\tmain\n{line}\n")))], true);
        let problem = problem(build_info(&file, "tool"));
        let text = problem.to_string();
        assert!(matches!(problem, Problem::Line { line: 2, .. }) && text.contains(wanted), "{line}: {text}");
    }
}

#[test]
fn a_damaged_table_of_functions_is_an_error_with_its_place() {
    let good = table(GO_1_20, &LINKED, &INLINED);
    let with = |at: usize, bytes: &[u8]| {
        let mut table = good.clone();
        table[at..at + bytes.len()].copy_from_slice(bytes);
        problem(functions(&elf(&[(".gopclntab", table)], true), "tool"))
    };
    assert_eq!(with(0, &[0xfa]), Problem::Magic { offset: 128, magic: 0xffff_fffa });
    let records = good.len() - LINKED.len() * 8;
    for (problem, wanted) in [
        (with(7, &[4]), "pointers of 4 bytes"),
        (with(8, &[0xff; 8]), "18446744073709551615 functions"),
        (with(8, &u64::MAX.div_euclid(8).to_le_bytes()), "functions in"),
        (with(32, &[0xff; 8]), "parts at"),
        (with(32, &[0]), "parts at 0x0"),
        (with(40, &[0; 8]), "parts at"),
        (with(64, &[0xff; 8]), "parts at"),
        (with(records + 4, &[0xff; 4]), "lies outside"),
        (with(records + 4, &[1, 0, 0, 0]), "in the middle"),
        (with(records - 8, &[0xff; 4]), "lies outside"),
        (with(73, &[0xff]), "not UTF-8"),
        (problem(functions(&elf(&[(".gopclntab", good[..60].to_vec())], true), "tool")), "shorter than its header"),
    ] {
        let text = problem.to_string();
        assert!(text.contains(wanted) && text.contains("offset 0x"), "{wanted}: {text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(tail: Vec<u8>) {
        for bytes in [tail.clone(), [b"\x7fELF\x02\x01\x01\0".as_slice(), &tail].concat()] {
            let _ = (is_go(&bytes), build_info(&bytes, "tool"), functions(&bytes, "tool"));
        }
        let sections = [(".go.buildinfo", [b"\xff Go buildinf:\x08\x02".as_slice(), &tail].concat()),
            (".gopclntab", [&GO_1_20.to_le_bytes(), [0, 0, 1, 8].as_slice(), &tail].concat())];
        let file = elf(&sections, true);
        let _ = (build_info(&file, "tool"), functions(&file, "tool"));
    }

    #[test]
    fn any_cut_and_any_changed_byte_has_an_answer(cut in 0_usize..2000, at in 0_usize..2000, byte: u8) {
        let mut file = program();
        let at = at % file.len();
        file[at] = byte;
        let _ = (is_go(&file), build_info(&file, "tool"), functions(&file, "tool"));
        file.truncate(cut);
        let _ = (is_go(&file), build_info(&file, "tool"), functions(&file, "tool"));
    }

    #[test]
    fn any_text_of_build_information_has_an_answer(text in r#"((path|mod|dep|=>|build)\t[a-z"`\\=\tx0-9]{0,20}\n){0,5}"#) {
        let file = elf(&[(".go.buildinfo", blob("go1.26.8", &format!("{text}\n")))], true);
        let _ = build_info(&file, "tool");
    }
}
