//! `orlop inspect`: what an image holds.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::image::inspect;

/// Show what an image holds: partitions, UKI, manifests, verity parameters, versions, files. Nothing is booted.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop inspect out/standalone/standalone.raw --json")]
pub struct InspectArgs {
    /// The disk image.
    image: PathBuf,
}

/// Runs the verb.
pub fn run(args: &InspectArgs, context: &Context) -> anyhow::Result<()> {
    // Nothing is verified here, so nothing is refused: what cannot be read is a failure like any other.
    let inspection = inspect::inspect(&args.image).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    context.result(&inspection, &inspect::text(&inspection))
}
