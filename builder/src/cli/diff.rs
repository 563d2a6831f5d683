//! `orlop diff`: what differs between two images.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::scan::{Judge, Rules};
use super::{Context, naming, read_image};
use crate::inventory::Inventory;
use crate::report::diff::{self, Difference};
use crate::scan::{self, FindingChanges, packages};
use crate::surface::changes;

/// Say what differs between two images: components, modules and crates, files, command line, sysctls, surface numbers; with
/// --db, what is known to be wrong with the one and not with the other.
///
/// Both are read, and nothing beside them. Exit status 0 whether anything differs or not.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop diff old/standalone.raw out/standalone/standalone.raw --db osv/Go/all.zip --json"
)]
pub struct DiffArgs {
    /// The first disk image.
    before: PathBuf,
    /// The second disk image.
    after: PathBuf,
    /// A folder or zip archive with advisories, by which both images are judged; given again, one more.
    #[arg(long, value_name = "PATH")]
    db: Vec<PathBuf>,
    /// The image definition with exceptions, and with the age that databases may have.
    #[arg(long, value_name = "FILE", requires = "db")]
    definition: Option<PathBuf>,
    /// How many days old each database may be at most, in place of what the gates say.
    #[arg(long, value_name = "DAYS", requires = "db")]
    max_age: Option<u32>,
}

/// The verb's JSON document.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    difference: &'a Difference,
    /// Absent where no database was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a FindingChanges>,
}

/// Runs the verb.
pub fn run(args: &DiffArgs, context: &Context) -> anyhow::Result<()> {
    let judge = judge(args)?;
    let (before, surface_before) = read_image(&args.before)?;
    let (after, surface_after) = read_image(&args.after)?;
    let mut difference = diff::compare(&before, &after);
    difference.surface = changes(&surface_before, &surface_after);
    let findings = judge.map(|judge| findings(&judge, (&args.before, &before), (&args.after, &after))).transpose()?;
    let mut text = diff::text(&difference);
    if let Some(findings) = &findings {
        text.push_str(&scan::changes_text(findings));
    }
    context.result(&Document { difference: &difference, findings: findings.as_ref() }, &text)
}

/// Databases are read first: one that is too old is known at once.
fn judge(args: &DiffArgs) -> anyhow::Result<Option<Judge>> {
    let rules = Rules { db: &args.db, vex: &[], max_age: args.max_age, project: None };
    Judge::where_asked(rules, args.definition.as_deref())
}

fn findings(judge: &Judge, before: (&Path, &Inventory), after: (&Path, &Inventory)) -> anyhow::Result<FindingChanges> {
    let report = |(path, inventory): (&Path, &Inventory)| {
        judge.judge(&packages::of_inventory(inventory)).map_err(|error| naming(path, &error))
    };
    Ok(scan::changes(&report(before)?, &report(after)?))
}
