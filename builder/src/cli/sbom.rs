//! `orlop sbom`: what an image is made of, as a document that other tools read.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{Context, write_whole};
use crate::bounded::read_at_most;
use crate::image::licences::{Licences, MOST};
use crate::inventory::{self, ImageFacts, Inventory};
use crate::report::{cyclonedx, spdx};
use crate::sources::Report;
use crate::text::shown;

/// Say what an image is made of, read from the image alone: every file with its hashes and component, every component with
/// its version, origin and parts.
///
/// The document is written to standard output. It depends on the image and this program's version, on the licences where they are
/// named, and on nothing else.
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
    /// Say what packages declare by this document, which the build wrote beside the image (NAME.licences.json), and name its
    /// licence texts.
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
    let named = args.licences.as_deref().map(Named::read).transpose()?;
    // Nothing is verified here, so nothing is refused: what cannot be read is a failure like any other.
    let inventory = inventory::read(&args.image).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let licences = named.as_ref().map(|named| named.of(&inventory.image)).transpose()?;
    let document = match args.format {
        Format::Spdx => spdx::render(&inventory, licences),
        Format::Cyclonedx => cyclonedx::render(&inventory, licences),
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

/// A document of licences that was named.
pub(super) struct Named<'a> {
    file: &'a Path,
    licences: Licences,
}

impl<'a> Named<'a> {
    /// Reads it.
    pub(super) fn read(file: &'a Path) -> anyhow::Result<Named<'a>> {
        let licences = Licences::parse(&read_at_most(file, MOST)?).with_context(|| file.display().to_string())?;
        Ok(Named { file, licences })
    }

    /// What it says; an error where that is of another image than this one.
    pub(super) fn of(&self, image: &ImageFacts) -> anyhow::Result<&Licences> {
        let ImageFacts { name, version, root_hash, .. } = image;
        self.licences.check(name, version, root_hash).with_context(|| self.file.display().to_string())?;
        Ok(&self.licences)
    }
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
