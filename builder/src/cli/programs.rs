//! `orlop programs`: builds a list of programs, for tests.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::build::default_jobs;
use crate::image;
use crate::sources::{Bench, Cache};

/// Build a list of programs (`kind = "programs"`) into a folder, from what its lockfile names.
#[derive(Debug, Args)]
#[command(hide = true, after_help = "Example:\n  orlop programs qemu-tests/lab/tools.toml --out out/lab-tools")]
pub struct ProgramsArgs {
    /// The list of programs.
    list: PathBuf,
    /// The folder to put links to them into.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Open no connection: everything must be in the cache (`orlop lock --fetch` fills it).
    #[arg(long)]
    offline: bool,
    /// Lock packages again that the archive dropped, print old → new, and write the lockfile.
    #[arg(long, conflicts_with = "offline")]
    relock_gone: bool,
    /// How many things to do at a time; without it, one for each processor.
    // Not shown: a manual page says the same on every machine.
    #[arg(long, value_name = "N", default_value_t = default_jobs(), hide_default_value = true)]
    jobs: usize,
}

/// Runs the verb.
pub fn run(args: &ProgramsArgs, context: &Context) -> anyhow::Result<()> {
    let cache = Cache::open()?;
    let bench = Bench { cache: &cache, report: &context.progress, offline: args.offline, jobs: args.jobs.max(1) };
    let built = image::build_programs(&args.list, &args.out, args.relock_gone, &bench)?;
    let names: Vec<String> = built.programs.iter().map(|program| program.display().to_string()).collect();
    context.result(&built, &names.join("\n"))
}
