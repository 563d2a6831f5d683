//! Where the words go: bars on a terminal that can show them, plain lines everywhere else, and no panic where nobody
//! reads.

use std::fs::File;
use std::io::PipeWriter;
use std::process::Command;

use crate::download::{FILE, NEXT, command};
use crate::support::server::{Answer, Server};
use crate::support::{Desk, Outcome, orlop, run};

/// Where the reader has gone already.
fn closed() -> PipeWriter {
    let (_, writer) = std::io::pipe().unwrap();
    writer
}

#[test]
fn a_closed_standard_error_is_no_panic() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    // An error alone, steps before an error, and wrong usage.
    let mut inspect = orlop();
    inspect.arg("inspect").arg(desk.path("missing.raw"));
    let mut usage = orlop();
    usage.arg("bild");
    for (mut command, status) in [(inspect, 1), (command(&desk, &server, "url"), 1), (usage, 2)] {
        let ended = command.stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(ended.code(), Some(status), "{command:?}: {ended}");
    }
    assert_eq!(server.requests(), ["pool/release.bin"]);
}

#[test]
fn a_closed_standard_output_ends_no_work() {
    let desk = Desk::new();
    for (folder, arguments) in [("text", &[][..]), ("json", &["--json"])] {
        let mut keygen = orlop();
        keygen.arg("keygen").arg(desk.path(folder)).args(arguments).stdout(closed());
        let outcome = run(&mut keygen);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        assert!(desk.path(folder).join("release.key").is_file());
    }
}

#[test]
fn a_full_disk_below_standard_output_is_a_failure() {
    let desk = Desk::new();
    let mut keygen = orlop();
    keygen.arg("keygen").arg(desk.path("full")).stdout(File::options().write(true).open("/dev/full").unwrap());
    run(&mut keygen).fails(1, &["writing the result to standard output", "No space left on device"]);
}

/// The same command with a terminal of its own for all its output.
fn on_terminal(command: &Command, settings: &[(&str, Option<&str>)]) -> Outcome {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]).env("SHELL", "/bin/sh");
    let own = command.get_envs().map(|(name, value)| (name, value.map(ToOwned::to_owned)));
    let wanted = settings.iter().map(|(name, value)| (std::ffi::OsStr::new(name), value.map(Into::into)));
    for (name, value) in own.chain(wanted) {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    run(script.stdin(std::process::Stdio::null()))
}

/// The line of a step that is done: its name and its time.
fn has_step(text: &str) -> bool {
    text.lines().any(|line| line.contains("release") && line.contains(" s  "))
}

#[test]
fn every_terminal_shows_the_steps_and_only_an_able_one_gets_escapes() {
    let able = &[("TERM", Some("xterm")), ("NO_COLOR", None)][..];
    let without_colour = &[("TERM", Some("xterm")), ("NO_COLOR", Some("1"))][..];
    let dumb = &[("TERM", Some("dumb")), ("NO_COLOR", None)][..];
    let unset = &[("TERM", None), ("NO_COLOR", None)][..];
    for (settings, escapes) in [(able, true), (without_colour, true), (dumb, false), (unset, false)] {
        let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
        let outcome = on_terminal(&command(&desk, &server, "url"), settings);
        assert_eq!(outcome.status, Some(1), "{settings:?}: {outcome:?}");
        assert!(has_step(&outcome.stdout) && outcome.stdout.contains(NEXT), "{settings:?}: {outcome:?}");
        assert_eq!(outcome.stdout.contains('\x1b'), escapes, "{settings:?}: {outcome:?}");
        // Cursor movements are no colours: those end with `m`.
        let coloured = outcome
            .stdout
            .split('\x1b')
            .skip(1)
            .any(|escape| escape.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).starts_with('m'));
        assert!(!coloured || settings == able, "{settings:?}: {outcome:?}");
    }
}

#[test]
fn a_pipe_gets_plain_lines() {
    let (desk, server) = (Desk::new(), Server::start(Answer::File(FILE.into())));
    let mut command = command(&desk, &server, "url");
    let outcome = run(command.env_remove("NO_COLOR").env("TERM", "xterm"));
    assert!(has_step(&outcome.stderr) && !outcome.stderr.contains('\x1b'), "{outcome:?}");
}
