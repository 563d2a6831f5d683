//! `orlop verify`: the checks that the boot makes, from outside.

use std::path::PathBuf;

use clap::Args;
use orlop_chain::Refusal;
use serde::Serialize;

use super::Context;
use crate::image::provenance;
use crate::image::verify::{Passed, Release, Trust, Verdict, verify};

/// Verify an image as its boot would, and its release manifest: every link, by the code that PID 1 runs.
///
/// Exit status 3 names the first link that does not hold.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  orlop verify out/standalone/standalone.raw --key out/keys/release.pub --cert out/keys/db.crt"
)]
pub struct VerifyArgs {
    /// The disk image.
    image: PathBuf,
    /// The release public key; given again, one more that is trusted.
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The certificate in the firmware's db; given again, one more that is trusted.
    #[arg(long, value_name = "FILE", required = true)]
    cert: Vec<PathBuf>,
    /// The release manifest; its signature is beside it, with `.sig`. Default: NAME.release.json beside the image.
    #[arg(long, value_name = "FILE", conflicts_with = "image_only")]
    manifest: Option<PathBuf>,
    /// Verify the image without a release manifest; the verdict says so.
    #[arg(long)]
    image_only: bool,
    /// Verify the provenance too: who signed it, and that it is about this image. Default: NAME.provenance.json beside it.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, conflicts_with = "image_only")]
    provenance: Option<Option<PathBuf>>,
}

/// Runs the verb.
pub fn run(args: &VerifyArgs, context: &Context) -> anyhow::Result<()> {
    let release = release(args);
    let mut passed = Vec::new();
    let trust = Trust::read(&args.key, &args.cert)?;
    let verified = verify(&args.image, &trust, &release, &mut passed);
    match &verified {
        Ok(verdict) => context.result(verdict, &text(verdict))?,
        Err(error) => {
            if let Some(refusal) = error.chain().find_map(|cause| cause.downcast_ref::<Refusal>()) {
                let refused = Refused { stage: refusal.stage.name(), reason: &refusal.reason };
                // That it was refused matters more than that nobody could be told so in JSON.
                let _ = context.result(&RefusedVerdict { refused, passed }, "");
            }
        }
    }
    verified.map(drop)
}

/// Which files beside the image are verified with it.
fn release(args: &VerifyArgs) -> Release {
    if args.image_only {
        return Release::ImageOnly;
    }
    let manifest = args.manifest.clone().unwrap_or_else(|| args.image.with_extension("release.json"));
    let file = |named: &Option<PathBuf>| named.clone().unwrap_or_else(|| provenance::beside(&args.image));
    Release::Files { manifest, provenance: args.provenance.as_ref().map(file) }
}

/// The JSON document of an image that was refused; people read the error.
#[derive(Serialize)]
struct RefusedVerdict<'a> {
    refused: Refused<'a>,
    passed: Vec<Passed>,
}

#[derive(Serialize)]
struct Refused<'a> {
    stage: &'a str,
    reason: &'a str,
}

fn text(verdict: &Verdict) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for passed in &verdict.passed {
        let _ = writeln!(text, "{:<18} {:<20} {}", passed.link, passed.stage, passed.what);
    }
    let _ = write!(text, "verified: {} {}", verdict.image, verdict.image_version);
    if verdict.development {
        text.push_str(", signed with development keys");
    }
    if verdict.image_only {
        text.push_str(", the image only: no release manifest was asked for");
    }
    text
}
