//! `orlop lock`: resolves every input into the lockfile.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Context;
use crate::sources::{Bench, Cache, Change, Project, Update, fetch, lock};

/// Resolve every input of a definition (version, origin, SHA-256) into NAME.lock, and write its Go modules.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop lock images/standalone.toml --update kubelet --fetch")]
pub struct LockArgs {
    /// The image definition.
    definition: PathBuf,
    /// Resolve anew what is locked already: one input (such as `kubelet`), or all of them.
    #[arg(long, value_name = "COMPONENT", num_args = 0..=1)]
    update: Option<Option<String>>,
    /// Fetch every input into the cache, so that `orlop build --offline` needs no network.
    #[arg(long)]
    fetch: bool,
}

#[derive(Serialize)]
struct Answer {
    lockfile: PathBuf,
    changes: Vec<Change>,
}

/// Runs the verb.
pub fn run(args: &LockArgs, context: &Context) -> anyhow::Result<()> {
    let project = Project::load(&args.definition)?;
    let cache = Cache::open()?;
    let bench = Bench { cache: &cache, report: &context.progress, offline: false, jobs: 2 };
    let update = match &args.update {
        None => Update::Nothing,
        Some(None) => Update::All,
        Some(Some(name)) => Update::One(name.clone()),
    };
    // A lockfile of another definition, or of an older request, still tells what was locked.
    let before = std::fs::read_to_string(project.lock_path()).ok();
    let before = before.and_then(|text| orlop_config::lockfile::parse("the lockfile", &text).ok());
    let locked = lock(&bench, &project, before.as_ref(), &update)?;
    locked.write(&project)?;
    if args.fetch {
        fetch(&bench, &project, &locked.lockfile)?;
    }
    let text: String = locked.changes.iter().map(line).collect();
    let text = if text.is_empty() { format!("{}: nothing changed", project.lock_path().display()) } else { text };
    context.result(&Answer { lockfile: project.lock_path(), changes: locked.changes }, &text)
}

fn line(change: &Change) -> String {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".into());
    format!("{} {} → {}\n", change.input, version(&change.old), version(&change.new))
}
