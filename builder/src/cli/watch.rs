//! `orlop watch`: whether a rebuild is due. For a nightly job: one run, an exit status, and nothing is written.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::Context;
use super::lock::line;
use super::scan::{Judge, Rules, inventory};
use crate::scan::Failure;
use crate::sources::{Bench, Cache, Change, Project, newer};
use crate::text::{count, shown};

/// Say whether a rebuild is due: inputs that are newer than what is locked, and findings of the last image that fail.
///
/// Exit status 0: nothing is due. 5: a rebuild is due. Nothing is written but the cache.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop watch images/edge.toml --image out/edge.raw --db osv/Go/all.zip --db rustsec/advisory-db.zip"
)]
pub struct WatchArgs {
    /// The image definition, with its lockfile.
    definition: PathBuf,
    /// The last image that was built of it, or an SBOM of that, to be judged by the definition's gates.
    #[arg(long, value_name = "IMAGE", requires = "db")]
    image: Option<PathBuf>,
    /// A folder or zip archive with advisories; given again, one more.
    #[arg(long, value_name = "PATH", requires = "image")]
    db: Vec<PathBuf>,
    /// How many days old each database may be at most, in place of what the gates say.
    #[arg(long, value_name = "DAYS", requires = "db")]
    max_age: Option<u32>,
}

/// What there is to do.
#[derive(Debug, Serialize)]
struct Watched {
    /// Version of this document's shape, first: 1.
    version: u32,
    /// The definition's name.
    definition: String,
    /// Whether a rebuild is due.
    due: bool,
    /// What `orlop lock DEFINITION --update` would change.
    inputs: Vec<Change>,
    /// What fails of the last image; without one, nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<Vec<Failure>>,
}

/// A rebuild is due.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rebuild is due: {0}")]
pub(super) struct RebuildDue(String);

/// Runs the verb.
pub fn run(args: &WatchArgs, context: &Context) -> anyhow::Result<()> {
    let project = Project::load(&args.definition)?;
    let lockfile = project.lockfile_as_written()?;
    // What needs no network comes first.
    let failures = args.image.as_deref().map(|image| failures(args, image, &project)).transpose()?;
    let cache = Cache::open()?;
    let bench = Bench { cache: &cache, report: &context.progress, offline: false, jobs: 2 };
    let inputs = newer(&bench, &project, &lockfile)?;
    let due = !inputs.is_empty() || failures.as_ref().is_some_and(|failures| !failures.is_empty());
    let watched = Watched { version: 1, definition: project.definition().name.clone(), due, inputs, failures };
    context.result(&watched, &watched.text())?;
    Ok(watched.verdict()?)
}

/// What the gates of the definition fail in the last image.
fn failures(args: &WatchArgs, image: &Path, project: &Project) -> anyhow::Result<Vec<Failure>> {
    let judge = Judge::load(&Rules { db: &args.db, vex: &[], max_age: args.max_age, project: Some(project) })?;
    let inventory = inventory(image)?;
    let (found, wanted) = (&inventory.image, &project.definition().name);
    if found != wanted && inventory.own {
        bail!("{}: it is of the image {}, and the definition is of `{wanted}`", image.display(), shown(found));
    }
    Ok(judge.judge(&inventory)?.failures)
}

impl Watched {
    fn text(&self) -> String {
        let Watched { definition, inputs, failures, .. } = self;
        let mut text = String::new();
        if !inputs.is_empty() {
            text.push_str("newer than what is locked\n");
            inputs.iter().for_each(|change| text.push_str(&format!("  {}", line(change))));
            text.push_str("    → `orlop lock DEFINITION --update`, read the difference, and build\n\n");
        }
        let failures = failures.as_deref();
        if let Some(failures) = failures.filter(|failures| !failures.is_empty()) {
            text.push_str("fails\n");
            for failure in failures {
                let _ = writeln!(text, "  {}\n    → {}", shown(&failure.what), shown(&failure.next));
            }
            text.push('\n');
        }
        let judged = match failures {
            Some(failures) => count(failures.len(), "failure", "failures"),
            None => "no image was judged (--image, --db)".to_owned(),
        };
        let newer = count(inputs.len(), "newer input", "newer inputs");
        let _ = write!(text, "{definition}: {newer}, {judged}");
        text
    }

    fn verdict(&self) -> Result<(), RebuildDue> {
        let failures = self.failures.as_ref().map_or(0, Vec::len);
        let parts = [(self.inputs.len(), "newer input", "newer inputs"), (failures, "failure", "failures")];
        let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
        let parts = parts.map(|(number, one, more)| count(number, one, more));
        if self.due { Err(RebuildDue(parts.collect::<Vec<_>>().join(", "))) } else { Ok(()) }
    }
}
