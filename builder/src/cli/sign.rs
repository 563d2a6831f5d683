//! `orlop sign`: makes the signatures that a build asked for.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{Context, write_whole};
use crate::image::request::{Answer, Request};
use crate::keys::KeySet;
use crate::sources::Report as _;

/// Make the signatures that `orlop build --unsigned` asks for, where the keys are.
///
/// What is signed is derived from the manifests and the provenance in the request, and what they say of the image is shown
/// before. What lies inside of the UKI is its digest only: build the image yourself to know that it is yours (the bytes are
/// the same).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop sign standalone.request.json --keys keys --out standalone.signatures.json")]
pub struct SignArgs {
    /// The request (NAME.request.json).
    request: PathBuf,
    /// The set of keys: a folder as `orlop keygen` makes it, or a keys.toml.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The file to write. Default: NAME.signatures.json beside the request.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &SignArgs, context: &Context) -> anyhow::Result<()> {
    let name = || args.request.display().to_string();
    let bytes = std::fs::read(&args.request).with_context(name)?;
    let request = Request::parse(&bytes).with_context(name)?;
    let round = request.round().with_context(name)?;
    let keys = KeySet::open(&args.keys)?;
    if request.keys().with_context(name)?.0 != keys.release.public {
        bail!("{}: it is for another release key than that of {}", name(), args.keys.display());
    }
    round.summary().iter().for_each(|line| context.progress.note(line));
    let answer = Answer::new(&round, &round.sign(&keys).with_context(name)?);
    let beside = || args.request.with_file_name(format!("{}.signatures.json", answer.image));
    let out = args.out.clone().unwrap_or_else(beside);
    write_whole(&out, &answer.render())?;
    let text = format!(
        "{}: {} {}, root hash {}, by {}",
        out.display(),
        answer.image,
        answer.image_version,
        answer.root_hash,
        keys.db.certificate.subject()
    );
    context.result(&answer, &text)
}
