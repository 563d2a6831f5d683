//! `orlop sbom`: what an image is made of, as a document that other tools read.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{Context, write_whole};
use crate::bounded::read_at_most;
use crate::image::licences::{Licences, MOST};
use crate::inventory::{self, Inventory};
use crate::report::{cyclonedx, spdx};
use crate::sources::Report;
use crate::text::shown;

/// Say what an image is made of, read from the image alone: every file with its hashes and component, every component with
/// its version, origin and parts.
///
/// The document is written to standard output. It depends on the image and this program's version, and on nothing else.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop sbom out/standalone/standalone.raw --format cyclonedx --output standalone.cdx.json"
)]
pub struct SbomArgs {
    /// The disk image.
    image: PathBuf,
    /// Whose document.
    #[arg(long, value_enum, default_value_t = Format::Spdx)]
    format: Format,
    /// Write it into this file, whole or not at all.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name the licence texts of this document, which the build wrote beside the image (NAME.licences.json).
    #[arg(long, value_name = "FILE")]
    licences: Option<PathBuf>,
}

/// A standard for such documents.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// SPDX 2.3, JSON.
    Spdx,
    /// CycloneDX 1.6, JSON.
    Cyclonedx,
}

/// Runs the verb.
pub fn run(args: &SbomArgs, context: &Context) -> anyhow::Result<()> {
    // Nothing is verified here, so nothing is refused: what cannot be read is a failure like any other.
    let inventory = inventory::read(&args.image).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let licences = args.licences.as_deref().map(|path| licences(path, &inventory)).transpose()?;
    let document = match args.format {
        Format::Spdx => spdx::render(&inventory, licences.as_ref()),
        Format::Cyclonedx => cyclonedx::render(&inventory, licences.as_ref()),
    };
    for gap in &inventory.gaps {
        context.progress.note(&format!("{}: {}", shown(&gap.file), shown(&gap.what)));
    }
    match &args.output {
        Some(path) => {
            write_whole(path, document.as_bytes())?;
            context.progress.note(&format!("{}: {}", path.display(), summary(&inventory)));
            Ok(())
        }
        None => to_stdout(&document),
    }
}

/// The document of this image, and of no other.
fn licences(path: &Path, inventory: &Inventory) -> anyhow::Result<Licences> {
    let licences = Licences::parse(&read_at_most(path, MOST)?).with_context(|| path.display().to_string())?;
    let (ours, theirs) = (&inventory.image, (&licences.image, &licences.image_version));
    if theirs != (&ours.name, &ours.version) {
        let (ours, path) = (format!("{} {}", ours.name, ours.version), path.display());
        anyhow::bail!("{path}: of {} {}, and the image is {ours}; name the one beside it", theirs.0, theirs.1);
    }
    Ok(licences)
}

fn summary(inventory: &Inventory) -> String {
    let Inventory { files, components, parts, gaps, .. } = inventory;
    format!("{} files, {} components, {} parts, {} unknown", files.len(), components.len(), parts.len(), gaps.len())
}

/// Writes a document that is text, as it is.
pub(super) fn to_stdout(document: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(document.as_bytes()).and_then(|()| out.flush()) {
        // Who closes the pipe has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("writing the document to standard output")
        }
        _ => Ok(()),
    }
}
