//! Manual pages and completions: made out of the command line, complete, and the same on every machine.

use std::fs;
use std::process::Command;

use crate::support::{Desk, names, orlop, run};

/// What the overview lists: one command a line.
fn commands(path: &[&str]) -> Vec<String> {
    let help = run(orlop().args(path).arg("--help"));
    let list = help.done().split("Commands:\n").nth(1).unwrap_or_default();
    let lines = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_page_and_its_overview_names_it() {
    let desk = Desk::new();
    let folder = desk.path("pages");
    let answer = run(orlop().args(["man", "--json"]).arg(&folder)).json();
    assert_eq!(answer["pages"].as_array().unwrap().len(), names(&folder).len());

    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut expected = vec!["orlop.1".to_owned()];
    let overview = page("orlop.1").replace("\\-", "-");
    for command in commands(&[]) {
        assert!(overview.contains(&format!("orlop-{command}(1)")), "{command}: {overview}");
        expected.push(format!("orlop-{command}.1"));
        let inner = page(&format!("orlop-{command}.1")).replace("\\-", "-");
        for below in commands(&[&command]) {
            assert!(inner.contains(&format!("orlop-{command}-{below}(1)")), "{command} {below}: {inner}");
            expected.push(format!("orlop-{command}-{below}.1"));
        }
    }
    for (command, below) in [("config", "check"), ("cache", "prune")] {
        assert!(expected.contains(&format!("orlop-{command}-{below}.1")), "{expected:?}");
    }
    expected.sort();
    assert_eq!(names(&folder), expected);
    for name in &expected {
        let text = page(name);
        for says in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", "Example:"] {
            // The overview is no command: it has no example.
            assert!(text.contains(says) || (name == "orlop.1" && says == "Example:"), "{name} has no {says}: {text}");
        }
    }
    // A command that only the tests use has none.
    assert!(!overview.contains("orlop-programs"));
}

#[test]
fn pages_and_scripts_are_the_same_on_every_machine() {
    let desk = Desk::new();
    let pages = |folder: &str, width: &str| {
        let mut man = orlop();
        man.arg("man")
            .arg(desk.path(folder))
            .env("COLUMNS", width)
            .env("TZ", "Asia/Kathmandu")
            .env("HOME", desk.path(folder));
        run(&mut man).done();
        let folder = desk.path(folder);
        names(&folder).iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(pages("narrow", "40"), pages("wide", "200"));
    let build = fs::read_to_string(desk.path("wide/orlop-build.1")).unwrap();
    let processors = std::thread::available_parallelism().unwrap();
    assert!(!build.contains(&format!("[default: {processors}]")), "the page says how many processors this machine has");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = |width: &str| run(orlop().args(["completions", shell]).env("COLUMNS", width)).done().to_owned();
        assert_eq!(script("40"), script("200"), "{shell}");
    }
}

#[test]
fn every_shells_script_knows_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(orlop().args(["completions", shell]));
        for command in commands(&[]) {
            assert!(script.done().contains(&command), "{shell}: {command}");
        }
    }
    run(orlop().args(["completions", "tcsh"])).fails(2, &["tcsh", "bash", "zsh"]);
}

/// Debian has it always.
#[test]
fn bash_reads_its_script_and_completes_by_it() {
    let desk = Desk::new();
    let script = desk.file("orlop.bash", run(orlop().args(["completions", "bash"])).done());
    run(Command::new("bash").arg("-n").arg(&script)).done();
    let ask =
        "source \"$1\"; COMP_WORDS=(orlop cache pr); COMP_CWORD=2; _orlop orlop pr cache; echo \"${COMPREPLY[@]}\"";
    let completed = run(Command::new("bash").args(["--norc", "-c", ask, "bash"]).arg(&script));
    assert_eq!(completed.done().trim(), "prune", "{}", completed.stderr);
}

#[test]
fn pages_that_cannot_be_written_are_an_error() {
    let desk = Desk::new();
    let file = desk.file("file", "x");
    run(orlop().arg("man").arg(file)).fails(1, &["file: cannot be made"]);
}
