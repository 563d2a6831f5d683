//! `orlop diff`: what differs between two images.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use crate::report::diff;
use crate::report::inventory::{self, Inventory};

/// Say what differs between two images: components, modules and crates, files, command line, sysctls.
///
/// Both are read, and nothing beside them. Exit status 0 whether anything differs or not.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop diff old/standalone.raw out/standalone/standalone.raw --json")]
pub struct DiffArgs {
    /// The first disk image.
    before: PathBuf,
    /// The second disk image.
    after: PathBuf,
}

/// Runs the verb.
pub fn run(args: &DiffArgs, context: &Context) -> anyhow::Result<()> {
    let difference = diff::compare(&read(&args.before)?, &read(&args.after)?);
    context.result(&difference, &diff::text(&difference))
}

/// Nothing is verified here, so nothing is refused.
fn read(path: &Path) -> anyhow::Result<Inventory> {
    // Of two images the one has to be named.
    inventory::read(path).map_err(|error| {
        let (error, path) = (format!("{error:#}"), path.display().to_string());
        if error.contains(&path) { anyhow::anyhow!(error) } else { anyhow::anyhow!("{path}: {error}") }
    })
}
