//! `orlop attach`: completes an image with signatures that were made elsewhere.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use crate::image::attach::attach;

/// Complete an image that `orlop build --unsigned` made with the signatures that `orlop sign` made.
///
/// Every signature is verified; the image is the same to the byte as one that was built with the keys at hand.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop attach out/standalone.request.json standalone.signatures.json --out signed")]
pub struct AttachArgs {
    /// The request (NAME.request.json); the unsigned image lies beside it.
    request: PathBuf,
    /// The signatures (NAME.signatures.json).
    signatures: PathBuf,
    /// The folder to write to. Default: that of the request, whose unsigned image is replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Attached {
    image: PathBuf,
}

/// Runs the verb.
pub fn run(args: &AttachArgs, context: &Context) -> anyhow::Result<()> {
    let folder = args.request.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let image = attach(&args.request, &args.signatures, args.out.as_deref().unwrap_or(folder))?;
    let text = image.display().to_string();
    context.result(&Attached { image }, &text)
}
