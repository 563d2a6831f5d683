//! `orlop keygen`: makes the keys.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::keys;

/// Make the release key: what signs the manifests of every image built with it.
///
/// The secret key is written with mode 0600; nothing is ever overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop keygen keys --development")]
pub struct KeygenArgs {
    /// The folder to write to; made where it does not exist.
    folder: PathBuf,
    /// Make development keys: named and marked as such, and every image signed with them says so when it boots.
    #[arg(long)]
    development: bool,
}

/// Runs the verb.
pub fn run(args: &KeygenArgs, context: &Context) -> anyhow::Result<()> {
    let made = keys::generate(&args.folder, args.development)?;
    let text = format!(
        "{} (secret: keep it, and a copy, where nobody else reads it)\n{} (public)",
        made.secret.display(),
        made.public.display()
    );
    context.result(&made, &text)
}
