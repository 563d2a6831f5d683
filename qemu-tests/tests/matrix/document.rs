//! The table in `docs/security.md`, made of the rows.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::GROUPS;
use crate::altered::{DIGEST, IMAGES, PIPE, PLANTED};
use crate::attempts::{ATTEMPTS, Attempt, EPERM, MADE_OF_PID_1, Outcome};
use crate::row::{Ends, Offline, On, Row};
use crate::running::{POD_TEST, STATE_TEST};

const BEGIN: &str =
    "<!-- The table is made of the rows in qemu-tests/tests/matrix; ORLOP_WRITE_DOCS=1 writes it. -->\n";
const END: &str = "<!-- The end of the table. -->\n";

fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    GROUPS.iter().flat_map(|(group, files)| files.iter().flat_map(|rows| rows.iter()).map(|row| (*group, row)))
}

/// A line of the table.
struct Line {
    group: &'static str,
    changed: String,
    on: &'static str,
    who: String,
    stage: String,
    says: String,
    offline: String,
}

impl Line {
    fn of_row(group: &'static str, row: &Row) -> Line {
        let on = match row.on {
            On::Direct => "direct",
            On::Uefi => "uefi",
            On::SecureBoot => SECURE_BOOT,
        };
        let (who, stage) = match row.ends {
            Ends::NotStarted => ("firmware", NONE.into()),
            Ends::Refused(stage) => ("init", format!("`{stage}`")),
            Ends::Panics | Ends::PanicsAfter(_) => ("kernel (dm-verity)", "panic".into()),
            Ends::Boots => ("nobody: it boots", NONE.into()),
            Ends::Elsewhere(who, file, _) => (who, test(file)),
        };
        let offline = match row.offline {
            Offline::Refused(stage) => format!("`{stage}`"),
            Offline::Unseen => UNSEEN.into(),
        };
        Line { group, changed: row.changed.into(), on, who: who.into(), stage, says: code(row.says), offline }
    }

    /// Of the test of a tampered state.
    fn of_state(changed: String, who: &str, says: &str) -> Line {
        let (stage, says) = (test(STATE_TEST.0), code(says));
        Line { group: "state", changed, on: "direct", who: who.into(), stage, says, offline: UNSEEN.into() }
    }

    /// Of the test of a privileged pod, on the machine with Secure Boot.
    fn of_pod(changed: String, who: &str, says: &str) -> Line {
        let (stage, says) = (test(POD_TEST.0), code(says));
        Line { group: "run time", changed, on: SECURE_BOOT, who: who.into(), stage, says, offline: UNSEEN.into() }
    }

    fn of_attempt(attempt: &Attempt) -> Vec<Line> {
        let line = |on, who: &str, outcome: Outcome| {
            let says = if outcome == Outcome::Done { "" } else { outcome.name() };
            Line { on, ..Line::of_pod(attempt.what.into(), who, says) }
        };
        let other = attempt.without_secure_boot.map(|(outcome, who)| line("direct", who, outcome));
        [line(SECURE_BOOT, attempt.who, attempt.outcome)].into_iter().chain(other).collect()
    }
}

const SECURE_BOOT: &str = "secure-boot";
const NONE: &str = "–";
const UNSEEN: &str = "cannot see it";

fn test(file: &str) -> String {
    format!("`tests/boot/{file}.rs`")
}

fn code(says: &str) -> String {
    match says {
        "" => NONE.into(),
        says if says.contains('`') => format!("`` {says} ``"),
        says => format!("`{says}`"),
    }
}

fn lines() -> Vec<Line> {
    let altered = IMAGES.iter().map(|altered| {
        Line::of_state(
            altered.what.into(),
            "init: it is unpacked anew",
            &altered.says.replace(DIGEST, "…").replace(PIPE, "…"),
        )
    });
    let planted = PLANTED.iter().map(|(what, paths)| {
        let list = paths.iter().map(|path| format!("`/var{path}`")).collect::<Vec<_>>().join(", ");
        Line::of_state(format!("{what}, planted: {list}"), "nobody: without effect", "")
    });
    let attempts = ATTEMPTS.iter().flat_map(Line::of_attempt);
    let made = MADE_OF_PID_1.iter().map(|made| {
        let what = format!("PID 1 is traced and made to {}", made.what);
        Line::of_pod(what, made.who, Outcome::Refused(EPERM).name())
    });
    let mut listed: Vec<Line> = altered.chain(planted).chain(attempts).chain(made).collect();
    let mut lines = Vec::new();
    for (group, files) in GROUPS {
        lines.extend(listed.extract_if(.., |line| line.group == group));
        lines.extend(files.iter().flat_map(|rows| rows.iter()).map(|row| Line::of_row(group, row)));
    }
    lines
}

fn table() -> String {
    let mut text = String::from(
        "| group | what is changed | machine | who refuses | stage or test | the console says, or the error | `orlop verify` |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines() {
        let Line { group, changed, on, who, stage, says, offline } = line;
        let _ = writeln!(text, "| {group} | {changed} | {on} | {who} | {stage} | {says} | {offline} |");
    }
    text
}

#[test]
fn the_document_has_the_rows() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (before, rest) = text.split_once(BEGIN).context("the begin of the table in docs/security.md")?;
    let (found, after) = rest.split_once(END).context("the end of the table in docs/security.md")?;
    let wanted = table();
    if std::env::var_os("ORLOP_WRITE_DOCS").is_some() {
        std::fs::write(&path, [before, BEGIN, &wanted, END, after].concat())?;
        return Ok(());
    }
    ensure!(found == wanted, "docs/security.md differs from the rows; ORLOP_WRITE_DOCS=1 with this test writes it");
    Ok(())
}

#[test]
fn rows_differ_and_say_what_they_change() -> Result<()> {
    let mut seen = BTreeSet::new();
    for (_, row) in rows() {
        ensure!(seen.insert(row.id) && seen.insert(row.changed), "{} twice", row.id);
        ensure!(!row.changed.contains('|') && !row.says.contains('|'), "{}: no bar in a table", row.id);
        let refuses = !matches!(row.ends, Ends::Boots | Ends::Elsewhere(..));
        ensure!(!refuses || !row.says.is_empty(), "{}: what the console says is missing", row.id);
    }
    Ok(())
}

#[test]
fn a_test_elsewhere_is_there() -> Result<()> {
    for (_, row) in rows() {
        let Ends::Elsewhere(_, file, test) = row.ends else { continue };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/boot/{file}.rs"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(text.contains(&format!("fn {test}()")), "{}: {} has no test {test}", row.id, path.display());
    }
    for (file, list) in [(STATE_TEST.0, "&IMAGES"), (POD_TEST.0, "in ATTEMPTS"), (POD_TEST.0, "in MADE_OF_PID_1")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/boot/{file}.rs"));
        ensure!(std::fs::read_to_string(&path)?.contains(list), "{} does not go through {list}", path.display());
    }
    Ok(())
}
