//! `orlop build`: the build.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::scan::{Judge, Rules};
use crate::image::{self, BuildOptions};
use crate::inventory::package_url;
use crate::keys::KeySet;
use crate::scan::{packages, table, verdict};
use crate::sources::{Bench, Cache, Project, Report as _};

/// Build the image that a definition describes, from what its lockfile names.
///
/// Writes NAME.raw (the disk), NAME.efi (its UKI), NAME.release.json with its signature, the documents that it names
/// (NAME.surface.json, NAME.licences.json), NAME.provenance.json, NAME.sums.json, and what to verify them with:
/// NAME.release.pub and NAME.db.crt.
/// Each appears whole or not at all.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop build images/standalone.toml --keys keys --out out/standalone")]
pub struct BuildArgs {
    /// The image definition.
    definition: PathBuf,
    /// The set of keys: a folder as `orlop keygen` makes it, or a keys.toml.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Sign nothing: write NAME.request.json, for `orlop sign` and `orlop attach`.
    #[arg(long, conflicts_with = "plan")]
    unsigned: bool,
    /// The folder to write to.
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Open no connection: everything must be in the cache (`orlop lock --fetch` fills it).
    #[arg(long)]
    offline: bool,
    /// Lock packages again that the archive dropped, print old → new, and write the lockfile.
    #[arg(long, conflicts_with_all = ["offline", "plan"])]
    relock_gone: bool,
    /// How many things to do at a time; without it, one for each processor.
    // Not shown: a manual page says the same on every machine.
    #[arg(long, value_name = "N", default_value_t = default_jobs(), hide_default_value = true)]
    jobs: usize,
    /// Scan the image before it gets its name, and leave none where the definition's gates fail (exit status 4).
    #[arg(long, requires = "db", conflicts_with = "plan")]
    gate: bool,
    /// A folder or zip archive with advisories, for --gate; given again, one more.
    #[arg(long, value_name = "PATH", requires = "gate")]
    db: Vec<PathBuf>,
    /// Print the disk's layout (offsets, sizes, GUIDs) and write nothing.
    #[arg(long)]
    plan: bool,
}

pub(super) fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs the verb.
pub fn run(args: &BuildArgs, context: &Context) -> anyhow::Result<()> {
    let keys = KeySet::open(&args.keys)?;
    let judge = judge(args)?;
    let check = |image: &Path| judge.as_ref().map_or(Ok(()), |judge| check(judge, image, context));
    let cache = Cache::open()?;
    let options = BuildOptions {
        definition: &args.definition,
        keys: &keys,
        unsigned: args.unsigned,
        out: &args.out,
        relock_gone: args.relock_gone,
        plan_only: args.plan,
        check: &check,
        package_url,
    };
    let bench = Bench { cache: &cache, report: &context.progress, offline: args.offline, jobs: args.jobs.max(1) };
    let built = image::build(&options, &bench)?;
    let text = built.layout.as_ref().map_or_else(|| built.image.display().to_string(), |layout| layout.table());
    context.result(&built, &text)
}

/// Databases are read before anything is built: one that is too old is known at once.
fn judge(args: &BuildArgs) -> anyhow::Result<Option<Judge>> {
    if !args.gate {
        return Ok(None);
    }
    let project = Project::load(&args.definition)?;
    let rules = Rules { db: &args.db, vex: &[], max_age: None, project: Some(&project) };
    Judge::load(&rules).map(Some)
}

/// What fails stands on standard error, where the build's steps stand.
fn check(judge: &Judge, image: &Path, context: &Context) -> anyhow::Result<()> {
    let report = judge.judge(&packages::of_image(image).map_err(|error| anyhow::anyhow!("{error:#}"))?)?;
    let verdict = verdict(&report);
    if verdict.is_err() {
        context.progress.note(&table(&report));
    }
    Ok(verdict?)
}
