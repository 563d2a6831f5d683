//! The image's Go programs, as Go's own tools read them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::formats::go_binary::{self, Functions};

use crate::tools::{says, tool};
use crate::witnesses::Parts;

/// Prints the functions that Go's own reader of the table knows: those that are linked, without inlined ones.
const FUNCTIONS: &str = r#"package main

import ("bufio"; "debug/elf"; "debug/gosym"; "fmt"; "os")

func main() {
	file, err := elf.Open(os.Args[1])
	if err != nil { panic(err) }
	data, err := file.Section(".gopclntab").Data()
	if err != nil { panic(err) }
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, file.Section(".text").Addr))
	if err != nil { panic(err) }
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, function := range table.Funcs { fmt.Fprintln(out, function.Name) }
}
"#;

/// One function that is inlined into the other's caller, one that must not be, and one that nobody calls.
const INLINING: &str = r#"package main

import "os"

func inlined(text string) string { return text + "!" }

//go:noinline
func linked(text string) string { return text + "?" }

func dead(text string) string { return text + "." }

func main() { os.Stdout.WriteString(linked(inlined(os.Args[0]))) }
"#;

/// Go without a network, and without the settings of whoever runs this.
pub fn go() -> Command {
    let mut go = tool("go");
    go.envs([("GOENV", "off"), ("GOFLAGS", ""), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GO111MODULE", "off")]);
    go
}

/// Every Go program below a folder.
pub fn go_programs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(go_programs(&entry.path()));
        } else if kind.is_file() && go_binary::is_go(&fs::read(entry.path()).unwrap()) {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[test]
fn go_version_says_the_same_of_every_program() {
    let parts = Parts::new();
    let programs = go_programs(&parts.root());
    let mut names = BTreeSet::new();
    for program in &programs {
        let bytes = fs::read(program).unwrap();
        let name = program.file_name().unwrap().to_str().unwrap();
        let info = go_binary::build_info(&bytes, name).unwrap();
        let theirs = says(go().args(["version", "-m"]).arg(program));
        // It puts an empty line behind a module that was replaced.
        let theirs: Vec<&str> = theirs.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(format!("{}: {info}", program.display()).lines().collect::<Vec<_>>(), theirs);
        let functions = go_binary::functions(&bytes, name).unwrap();
        assert!(functions.has("runtime", "goexit") && functions.len() > 3000, "{name}: {}", functions.len());
        assert!(info.dependencies.is_empty() || functions.iter().any(|(_, _, linked)| !linked), "{name}: none inlined");
        assert_eq!(go_binary::unaccounted(&info, &functions), Vec::<&str>::new(), "{name}");
        names.insert(name.to_owned());
    }
    for name in ["kubelet", "containerd", "containerd-shim-runc-v2", "runc"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
}

#[test]
fn the_linked_functions_are_those_of_gos_own_reader() {
    let parts = Parts::new();
    let (root, work) = (parts.root(), tempfile::tempdir().unwrap());
    let reader = work.path().join("functions");
    fs::write(reader.with_extension("go"), FUNCTIONS).unwrap();
    says(go().arg("build").arg("-o").arg(&reader).arg(reader.with_extension("go")));
    for program in go_programs(&root) {
        let ours = go_binary::functions(&fs::read(&program).unwrap(), "program").unwrap();
        let mut theirs = Functions::default();
        says(Command::new(&reader).arg(&program)).lines().for_each(|name| theirs.add(name, true));
        let linked: BTreeSet<_> = ours.iter().filter(|(_, _, linked)| *linked).collect();
        assert_eq!(linked, theirs.iter().collect(), "{}", program.display());
    }
}

/// Stripped, as most programs are that somebody ships.
#[test]
fn inlined_functions_are_told_from_linked_ones_and_from_those_that_are_not_there() {
    let work = tempfile::tempdir().unwrap();
    let (source, program) = (work.path().join("inlining.go"), work.path().join("inlining"));
    fs::write(&source, INLINING).unwrap();
    let build = |flags: &str| {
        says(go().args(["build", "-ldflags", flags, "-o"]).arg(&program).arg(&source));
        fs::read(&program).unwrap()
    };
    let (whole, stripped) = (build(""), build("-s -w"));
    assert!(stripped.len() < whole.len(), "{} bytes, with symbols {}", stripped.len(), whole.len());
    for bytes in [whole, stripped] {
        let functions = go_binary::functions(&bytes, "inlining").unwrap();
        assert!(functions.is_only_inlined("main", "inlined"));
        for name in ["linked", "main"] {
            assert!(functions.has("main", name) && !functions.is_only_inlined("main", name), "{name}");
        }
        assert!(!functions.has("main", "dead"));
    }
}

/// The smallest of them, cut and damaged.
#[test]
fn a_damaged_program_is_an_error_at_most() {
    let parts = Parts::new();
    let programs = go_programs(&parts.root());
    let smallest = programs.iter().min_by_key(|program| fs::metadata(program).unwrap().len()).unwrap();
    let mut bytes = fs::read(smallest).unwrap();
    let read = |bytes: &[u8]| (go_binary::functions(bytes, "it").is_ok(), go_binary::build_info(bytes, "it").is_ok());
    assert_eq!(read(&bytes), (true, true));
    for end in (0..bytes.len()).step_by(32_771) {
        // The table of sections stands last, so that no section is found in what is left.
        assert!(!read(&bytes[..end]).0, "cut at {end} of {}", bytes.len());
    }
    let places: Vec<usize> = (0..64).chain((64..bytes.len()).step_by(16_381)).collect();
    for at in places {
        bytes[at] ^= 0x81;
        read(&bytes);
        bytes[at] ^= 0x81;
    }
}
