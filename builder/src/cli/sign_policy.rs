//! `orlop sign-policy`: signs the IPE policy.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Context, write_whole};
use crate::image::policy;
use crate::keys::KeySet;

/// Sign the IPE policy, once for each version of its text: it lies in the root, so it is an input of a build.
///
/// Only needed where the db key is not at hand when images are built; name the file in keys.toml there
/// (policy.signature).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop sign-policy --keys keys --out orlop_node.p7b")]
pub struct SignPolicyArgs {
    /// The set of keys: a folder as `orlop keygen` makes it, or a keys.toml.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "orlop_node.p7b")]
    out: PathBuf,
}

/// What was signed, and where it is.
#[derive(Serialize)]
struct SignedPolicy {
    policy: String,
    signature: PathBuf,
    signer: String,
}

/// Runs the verb.
pub fn run(args: &SignPolicyArgs, context: &Context) -> anyhow::Result<()> {
    let keys = KeySet::open(&args.keys)?;
    write_whole(&args.out, &policy::sign(&keys.db)?)?;
    let signer = keys.db.certificate.subject().to_owned();
    let text = format!("{}: the IPE policy, signed by {signer}", args.out.display());
    let made = SignedPolicy { policy: orlop_config::render::ipe_policy(), signature: args.out.clone(), signer };
    context.result(&made, &text)
}
