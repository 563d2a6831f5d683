//! `orlop cache`: what the cache has, and what it need not have any more.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::progress::mib;
use super::run::parse_size;
use crate::report::time::rfc3339;
use crate::sources::entries::{self, Entry};
use crate::sources::prune::{self, Rules};
use crate::sources::{Cache, Report as _};
use crate::text::shown;

/// Without any rule.
const KEEP_DAYS: u32 = 30;

/// Show what the cache has, and take out of it what was not used for long.
///
/// The cache is $ORLOP_CACHE, else $XDG_CACHE_HOME/orlop, else ~/.cache/orlop.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop cache prune --keep-days 14 --max-size 10G --dry-run")]
pub struct CacheArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print what is in the cache, the least recently used first: kind, size, last use, name.
    #[command(after_help = "Example:\n  orlop cache list --json")]
    List,
    /// Take out what was not used for long. What a running build uses stays; what an interrupted one left goes.
    #[command(after_help = "Example:\n  orlop cache prune --keep-days 14 --max-size 10G --dry-run")]
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
struct PruneArgs {
    /// Take out what was not used for so many days; without this and --max-size: for 30.
    #[arg(long, value_name = "N")]
    keep_days: Option<u32>,
    /// Take out the least recently used until the cache has this size at most, such as 10G; MiB without a suffix.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: Option<u64>,
    /// Say what would go, and leave it.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
pub fn run(args: &CacheArgs, context: &Context) -> anyhow::Result<()> {
    let cache = Cache::place()?;
    match &args.verb {
        Verb::List => list(cache, context),
        Verb::Prune(args) => prune(args, cache, context),
    }
}

#[derive(Serialize)]
struct Listed {
    cache: PathBuf,
    bytes: u64,
    entries: Vec<Entry>,
}

fn list(cache: PathBuf, context: &Context) -> anyhow::Result<()> {
    let entries = entries::list(&cache)?;
    let listed = Listed { cache, bytes: bytes(&entries), entries };
    let mut text: String = listed.entries.iter().map(line).collect();
    let (count, size) = (listed.entries.len(), mib(listed.bytes));
    text.push_str(&format!("{count} entries, {size} in {}\n", listed.cache.display()));
    context.result(&listed, &text)
}

#[derive(Serialize)]
struct Pruned {
    cache: PathBuf,
    dry_run: bool,
    removed: Vec<Entry>,
    bytes_removed: u64,
    bytes_left: u64,
}

fn prune(args: &PruneArgs, cache: PathBuf, context: &Context) -> anyhow::Result<()> {
    let by_default = (args.keep_days.is_none() && args.max_size.is_none()).then_some(KEEP_DAYS);
    let rules = Rules { keep_days: args.keep_days.or(by_default), max_bytes: args.max_size };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let entries = entries::list(&cache)?;
    let chosen = prune::choose(&entries, &rules, now);
    let removed = if args.dry_run { chosen } else { prune::remove(&cache, &chosen)? };
    let bytes_removed = bytes(&removed);
    let bytes_left = bytes(&entries).saturating_sub(bytes_removed);
    if let Some(most) = rules.max_bytes.filter(|most| bytes_left > *most) {
        let (left, most) = (mib(bytes_left), mib(most));
        context
            .progress
            .note(&format!("{left} stay, more than {most}: a running build uses them, or `make` put them there"));
    }
    let mut text: String = removed.iter().map(line).collect();
    let verb = if args.dry_run { "would go" } else { "went" };
    text.push_str(&format!("{} entries {verb}, {}; {} stay\n", removed.len(), mib(bytes_removed), mib(bytes_left)));
    context.result(&Pruned { cache, dry_run: args.dry_run, removed, bytes_removed, bytes_left }, &text)
}

fn bytes(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.bytes).sum()
}

fn line(entry: &Entry) -> String {
    let Entry { kind, name, bytes, last_use, in_use } = entry;
    let used = if *in_use { "in use".to_owned() } else { rfc3339(*last_use) };
    format!("{:<8}  {:>12}  {used:<20}  {}\n", kind.word(), mib(*bytes), shown(name))
}
