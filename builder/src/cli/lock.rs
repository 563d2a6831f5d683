//! `orlop lock`: resolves every input into the lockfile.

use std::path::PathBuf;

use clap::Args;
use orlop_config::lockfile::{Lockfile, parse};
use serde::Serialize;

use super::{Context, Usage};
use crate::sources::{Bench, Cache, Change, Error, Project, Report, Update, fetch, lock};

/// Resolve every input of a definition (version, origin, SHA-256) into NAME.lock, and write its Go modules.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop lock images/standalone.toml --update kubelet --fetch")]
pub struct LockArgs {
    /// The image definition.
    definition: PathBuf,
    /// Resolve anew what is locked already: one input (such as `kubelet`), which may name its version, or all of them.
    #[arg(long, value_name = "COMPONENT[@VERSION]", num_args = 0..=1)]
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
        Some(Some(named)) => Update::one(named),
    };
    let before = before(&project, context);
    let locked = lock(&bench, &project, before.as_ref(), &update).map_err(|error| match error {
        Error::Usage(text) => Usage(text).into(),
        other => anyhow::Error::from(other),
    })?;
    locked.write(&project)?;
    if args.fetch {
        fetch(&bench, &project, &locked.lockfile)?;
    }
    let text: String = locked.changes.iter().map(line).collect();
    let text = if text.is_empty() { format!("{}: nothing changed", project.lock_path().display()) } else { text };
    context.result(&Answer { lockfile: project.lock_path(), changes: locked.changes }, &text)
}

/// What is locked so far. A lockfile of another definition, or of an older request, still tells it; one that cannot
/// be read does not, and that everything is resolved anew must not come as a surprise.
fn before(project: &Project, context: &Context) -> Option<Lockfile> {
    let path = project.lock_path();
    let anew = |why: &str| {
        context.progress.note(&format!("{why}; every input is resolved anew"));
        None
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path.display().to_string(), &text).map_or_else(|error| anew(&error.to_string()), Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => anew(&format!("{}: {error}", path.display())),
    }
}

/// A change for people, with the line's end.
pub(super) fn line(change: &Change) -> String {
    let Change { input, old, new } = change;
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".into());
    // A file of the user, or a package that was put into another archive.
    let other = if old == new { " (the same version with another content or origin)" } else { "" };
    format!("{input} {} → {}{other}\n", version(old), version(new))
}
