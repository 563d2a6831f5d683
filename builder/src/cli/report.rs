//! `orlop report`: all that is known of an image, on a page.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use orlop_chain::Refusal;
use serde::Serialize;

use super::scan::{Judge, Rules};
use super::{Context, read_image, sbom, write_whole};
use crate::bounded::read_at_most;
use crate::image::inspect::inspect;
use crate::image::verify::{Release, Trust, verify};
use crate::report::boot::{self, Boot};
use crate::report::diff::compare;
use crate::report::html::{Report, Verification, render};
use crate::scan::{packages, verdict};
use crate::surface::{Shown, parse_boot};

/// Write what is known of an image as one HTML page: its chain of trust, what it holds, what changed, what is wrong with it.
///
/// The page fetches nothing. It is written whatever it says; exit status 3: the image is not by the keys that were named,
/// 4: the gates fail.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop report out/standalone/standalone.raw --db osv/Go/all.zip --out standalone.html"
)]
pub struct ReportArgs {
    /// The disk image.
    image: PathBuf,
    /// Write the page into this file, whole or not at all; else it goes to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A boot of this image: what `orlop run --json` printed, a node's /run/orlop/boot.json, or the boot test's, which has what
    /// listens and what runs.
    #[arg(long, value_name = "FILE")]
    boot: Option<PathBuf>,
    /// The image before this one: what changed since is shown.
    #[arg(long, value_name = "IMAGE")]
    previous: Option<PathBuf>,
    /// What packages declare to be licensed under and which texts they have: the document that the build wrote beside the image
    /// (NAME.licences.json).
    #[arg(long, value_name = "FILE")]
    licences: Option<PathBuf>,
    /// A folder or zip archive with advisories; given again, one more.
    #[arg(long, value_name = "PATH")]
    db: Vec<PathBuf>,
    /// The image definition with the gates and their exceptions.
    #[arg(long, value_name = "FILE", requires = "db")]
    definition: Option<PathBuf>,
    /// An OpenVEX document with exceptions, beside those of the definition; given again, one more.
    #[arg(long, value_name = "FILE", requires = "db")]
    vex: Vec<PathBuf>,
    /// How many days old each database may be at most, in place of what the gates say.
    #[arg(long, value_name = "DAYS", requires = "db")]
    max_age: Option<u32>,
    /// Verify the image, as its boot would, by this release public key; given again, one more that is trusted.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Vec<PathBuf>,
    /// The certificate in the firmware's db, for that; given again, one more that is trusted.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Vec<PathBuf>,
}

/// The JSON document of a page that was written.
#[derive(Serialize)]
struct Written<'a> {
    report: &'a Path,
}

/// Runs the verb.
pub fn run(args: &ReportArgs, context: &Context) -> anyhow::Result<()> {
    // What stands beside the image comes first: a mistake in it is known at once.
    let told = args.boot.as_deref().map(told).transpose()?;
    let named = args.licences.as_deref().map(sbom::Named::read).transpose()?;
    let (judge, trust) = (args.judge()?, args.trust()?);
    let (inventory, mut surface) = read_image(&args.image)?;
    if let Some(Told { file, boot, shown }) = &told {
        let file = || file.display().to_string();
        boot.check(&inventory.image).with_context(file)?;
        if let Some(shown) = shown {
            shown.add_to(&mut surface).with_context(file)?;
        }
    }
    let licences = named.as_ref().map(|named| named.of(&inventory.image)).transpose()?;
    let previous = args.previous.as_deref().map(read_image).transpose()?;
    let difference = previous.as_ref().map(|(previous, _)| compare(previous, &inventory));
    let scan = judge.map(|judge| judge.judge(&packages::of_inventory(&inventory))).transpose()?;
    let verification = trust.map(|trust| verification(&args.image, &trust)).transpose()?;
    let page = render(&Report {
        inventory: &inventory,
        inspection: &inspect(&args.image).map_err(unverified)?,
        verification: verification.as_ref(),
        boot: told.as_ref().map(|told| &told.boot),
        difference: difference.as_ref(),
        scan: scan.as_ref(),
        surface: Some(&surface),
        surface_before: previous.as_ref().map(|(_, surface)| surface),
        licences,
    });
    match &args.out {
        Some(file) => {
            write_whole(file, page.as_bytes())?;
            context.result(&Written { report: file }, &file.display().to_string())?;
        }
        None => sbom::to_stdout(&page)?,
    }
    if let Some(refusal) = verification.and_then(|verification| verification.refused) {
        return Err(refusal.into());
    }
    scan.map_or(Ok(()), |scan| Ok(verdict(&scan)?))
}

impl ReportArgs {
    /// What to judge the image by, where databases were named.
    fn judge(&self) -> anyhow::Result<Option<Judge>> {
        let rules = Rules { db: &self.db, vex: &self.vex, max_age: self.max_age, project: None };
        Judge::where_asked(rules, self.definition.as_deref())
    }

    /// Whom to verify the image by, where somebody was named.
    fn trust(&self) -> anyhow::Result<Option<Trust>> {
        if self.key.is_empty() { Ok(None) } else { Trust::read(&self.key, &self.cert).map(Some) }
    }
}

/// What the document of a boot says.
struct Told<'a> {
    file: &'a Path,
    boot: Boot,
    /// What listened and ran, where it has that.
    shown: Option<Shown>,
}

/// The file is read once: it may be a pipe.
fn told(file: &Path) -> anyhow::Result<Told<'_>> {
    let named = || file.display().to_string();
    let bytes = read_at_most(file, boot::MOST)?;
    let boot = boot::parse(&bytes).with_context(named)?;
    Ok(Told { file, boot, shown: parse_boot(&bytes).with_context(named)? })
}

/// A refusal goes onto the page; what else goes wrong is an error.
fn verification(image: &Path, trust: &Trust) -> anyhow::Result<Verification> {
    let mut passed = Vec::new();
    match verify(image, trust, &Release::ImageOnly, &mut passed) {
        Ok(verdict) => Ok(Verification { passed: verdict.passed, refused: None }),
        Err(error) => {
            let refused = error.chain().find_map(|cause| cause.downcast_ref::<Refusal>()).cloned();
            if refused.is_some() { Ok(Verification { passed, refused }) } else { Err(error) }
        }
    }
}

/// What cannot be read is a failure like any other; only verifying refuses.
fn unverified(error: anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
