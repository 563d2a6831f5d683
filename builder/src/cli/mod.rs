//! The command line, one file per verb.
//!
//! Every verb prints for people on standard error and its one result on standard output: text, or one JSON
//! document with `--json`. Exit status: 0 done, 1 failed, 2 wrong usage or invalid definition, 3 verification refused.

mod build;
mod inspect;
mod keygen;
mod lock;
mod progress;
mod run;
mod verify;

use clap::{Parser, Subcommand};
use orlop_config::Mistake;

use crate::sources::ProjectError;

pub use progress::Progress;

/// Exit status of wrong usage and of invalid definitions.
pub const USAGE: u8 = 2;
/// Exit status of a refused verification.
pub const REFUSED: u8 = 3;

/// Builds one TOML definition into an immutable, signed disk image, and boots it in QEMU.
#[derive(Debug, Parser)]
#[command(name = "orlop", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// Print one JSON document on standard output; everything else goes to standard error.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Keygen(keygen::KeygenArgs),
    Lock(lock::LockArgs),
    Build(build::BuildArgs),
    Run(run::RunArgs),
    Inspect(inspect::InspectArgs),
    Verify(verify::VerifyArgs),
}

/// What every verb gets besides its own arguments.
pub struct Context {
    /// One JSON document on standard output instead of text.
    pub json: bool,
    /// Where steps, their times and long transfers are shown.
    pub progress: Progress,
}

impl Context {
    /// Prints a verb's result: the JSON document, or the text for people.
    pub fn result(&self, document: &impl serde::Serialize, text: &str) -> anyhow::Result<()> {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(document)?)?;
        } else if !text.is_empty() {
            writeln!(out, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// Runs the verb that was asked for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let context = Context { json: cli.json, progress: Progress::stderr() };
    match &cli.verb {
        Verb::Keygen(args) => keygen::run(args, &context),
        Verb::Lock(args) => lock::run(args, &context),
        Verb::Build(args) => build::run(args, &context),
        Verb::Run(args) => run::run(args, &context),
        Verb::Inspect(args) => inspect::run(args, &context),
        Verb::Verify(args) => verify::run(args, &context),
    }
}

/// The exit status that an error chain asks for. A lockfile that is missing, altered or another definition's is
/// a failure, no invalid definition: `orlop lock` mends it, and the definition stays as it is.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_refusal) {
        REFUSED
    } else if error.chain().any(is_usage) {
        USAGE
    } else {
        1
    }
}

/// By `orlop verify` or by the machine's own init.
fn is_refusal(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<orlop_chain::Refusal>() || matches!(cause.downcast_ref(), Some(orlop_machine::Error::Refused { .. }))
}

fn is_usage(cause: &(dyn std::error::Error + 'static)) -> bool {
    // A transparent error stands in the chain in place of what it wraps.
    let definition =
        |error: &ProjectError| matches!(error, ProjectError::Definition(_) | ProjectError::Unreadable { .. });
    cause.is::<Usage>() || cause.is::<Mistake>() || cause.downcast_ref().is_some_and(definition)
}

/// Arguments that parse but do not fit together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);
