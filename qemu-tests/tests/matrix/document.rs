//! The table in `docs/security.md`, made of the rows.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::GROUPS;
use crate::row::{Ends, Offline, On, Row};

const BEGIN: &str =
    "<!-- The table is made of the rows in qemu-tests/tests/matrix; ORLOP_WRITE_DOCS=1 writes it. -->\n";
const END: &str = "<!-- The end of the table. -->\n";

fn rows() -> impl Iterator<Item = (&'static str, &'static Row)> {
    GROUPS.iter().flat_map(|(group, files)| files.iter().flat_map(|rows| rows.iter()).map(|row| (*group, row)))
}

fn table() -> String {
    let mut text = String::from(
        "| group | what is changed | machine | who refuses | stage | the console says | `orlop verify` |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (group, row) in rows() {
        let on = match row.on {
            On::Direct => "direct",
            On::Uefi => "uefi",
            On::SecureBoot => "secure-boot",
        };
        let (who, stage) = match row.ends {
            Ends::NotStarted => ("firmware", "–".into()),
            Ends::Refused(stage) => ("init", format!("`{stage}`")),
            Ends::Panics | Ends::PanicsAfter(_) => ("kernel (dm-verity)", "panic".into()),
            Ends::Boots => ("nobody: it boots", "–".into()),
            Ends::Elsewhere(who, file, _) => (who, format!("`tests/boot/{file}.rs`")),
        };
        let offline = match row.offline {
            Offline::Refused(stage) => format!("`{stage}`"),
            Offline::Unseen => "cannot see it".into(),
        };
        let says = if row.says.is_empty() { "–".into() } else { format!("`{}`", row.says) };
        let _ = writeln!(text, "| {group} | {} | {on} | {who} | {stage} | {says} | {offline} |", row.changed);
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
    Ok(())
}
