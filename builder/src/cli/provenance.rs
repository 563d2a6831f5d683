//! `orlop provenance`: what an image was built from, as the file beside it says.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::Value;

use super::Context;
use crate::image::provenance::{self, PAYLOAD_TYPE};

/// Show what an image was built from: definition, lockfile, every input with its digest, and who built it.
///
/// It is read from NAME.provenance.json beside the image, and nothing of it is verified: `orlop verify --provenance` does that.
/// With --json, the in-toto statement as it was signed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop provenance out/standalone/standalone.raw --json")]
pub struct ProvenanceArgs {
    /// The disk image. It need not be there itself.
    image: PathBuf,
    /// The provenance. Default: NAME.provenance.json beside the image.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &ProvenanceArgs, context: &Context) -> anyhow::Result<()> {
    let file = args.file.clone().unwrap_or_else(|| provenance::beside(&args.image));
    let name = || file.display().to_string();
    let envelope = provenance::read(&file)?;
    let payload = envelope.unverified(PAYLOAD_TYPE).with_context(name)?;
    let statement = provenance::parse(&payload).with_context(name)?;
    // As it was signed, with fields that this program does not know.
    let document: Value = serde_json::from_slice(&payload).map_err(|error| anyhow!("{}: {error}", name()))?;
    context.result(&document, &provenance::text(&statement, &envelope.signers()))
}
