//! The command line, one file per verb.
//!
//! Every verb prints for people on standard error and its one result on standard output: text, or one JSON
//! document with `--json`. Exit status: 0 done, 1 failed, 2 wrong usage, invalid definition or node config, 3 verification refused,
//! 4 the gates of a scan fail, 5 a rebuild is due.

mod attach;
mod build;
mod cache;
mod completions;
mod config;
mod diff;
mod init_project;
mod inspect;
mod keygen;
mod lock;
mod man;
mod programs;
mod progress;
mod provenance;
mod report;
mod run;
mod sbom;
mod scan;
mod schema;
mod sign;
mod sign_policy;
mod surface;
mod verify;
mod watch;

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use orlop_config::Mistake;
use orlop_config::node_config::Problems;

use crate::image::opened::Opened;
use crate::inventory::{self, Inventory};
use crate::report::surface::of as surface_of;
use crate::scan::GatesFail;
use crate::sources::{self, ProjectError};
use crate::surface::Surface;

pub use progress::Progress;

/// Exit status of wrong usage and of invalid definitions.
pub const USAGE: u8 = 2;
/// Exit status of a refused verification.
pub const REFUSED: u8 = 3;
/// Exit status of a scan whose gates fail.
pub const GATES: u8 = 4;
/// Exit status of a watch that says that a rebuild is due.
pub const DUE: u8 = 5;

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
    Programs(programs::ProgramsArgs),
    Sign(sign::SignArgs),
    Attach(attach::AttachArgs),
    SignPolicy(sign_policy::SignPolicyArgs),
    Run(run::RunArgs),
    Inspect(inspect::InspectArgs),
    Sbom(sbom::SbomArgs),
    Provenance(provenance::ProvenanceArgs),
    Surface(surface::SurfaceArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Config(config::ConfigArgs),
    Verify(verify::VerifyArgs),
    Scan(scan::ScanArgs),
    Watch(watch::WatchArgs),
    InitProject(init_project::InitProjectArgs),
    Cache(cache::CacheArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
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
        let json = if self.json { Some(serde_json::to_string_pretty(document)?) } else { None };
        let text = json.as_deref().unwrap_or(text).trim_end();
        if text.is_empty() {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            // Who closes the pipe (`… | head -1`) has read enough, and the work is done.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("writing the result to standard output")
            }
            _ => Ok(()),
        }
    }
}

/// What an image holds, and what it exposes. It is opened once for both.
fn read_image(path: &Path) -> anyhow::Result<(Inventory, Surface)> {
    let read = || {
        let image = Opened::open(path)?;
        anyhow::Ok((inventory::of(&image)?, surface_of(&image)?))
    };
    read().map_err(|error| naming(path, &error))
}

/// The failure of reading one image of two, which has to be named. Nothing is verified here, so nothing is refused.
fn naming(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    let (error, path) = (format!("{error:#}"), path.display().to_string());
    if error.contains(&path) { anyhow::anyhow!(error) } else { anyhow::anyhow!("{path}: {error}") }
}

/// Writes a file whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with_mode(path, bytes, 0o644)
}

/// The same with these permissions.
fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("{}: cannot be written", path.display());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder).with_context(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    file.persist(path).map(drop).with_context(failed)
}

/// Runs the verb that was asked for.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let context = Context { json: cli.json, progress: Progress::stderr() };
    match &cli.verb {
        Verb::Keygen(args) => keygen::run(args, &context),
        Verb::Lock(args) => lock::run(args, &context),
        Verb::Build(args) => build::run(args, &context),
        Verb::Programs(args) => programs::run(args, &context),
        Verb::Sign(args) => sign::run(args, &context),
        Verb::Attach(args) => attach::run(args, &context),
        Verb::SignPolicy(args) => sign_policy::run(args, &context),
        Verb::Run(args) => run::run(args, &context),
        Verb::Inspect(args) => inspect::run(args, &context),
        Verb::Sbom(args) => sbom::run(args, &context),
        Verb::Provenance(args) => provenance::run(args, &context),
        Verb::Surface(args) => surface::run(args, &context),
        Verb::Diff(args) => diff::run(args, &context),
        Verb::Report(args) => report::run(args, &context),
        Verb::Config(args) => config::run(args, &context),
        Verb::Verify(args) => verify::run(args, &context),
        Verb::Scan(args) => scan::run(args, &context),
        Verb::Watch(args) => watch::run(args, &context),
        Verb::InitProject(args) => init_project::run(args, &context),
        Verb::Cache(args) => cache::run(args, &context),
        Verb::Schema(args) => schema::run(args, &context),
        Verb::Completions(args) => completions::run(args, &context),
        Verb::Man(args) => man::run(args, &context),
    }
}

/// The exit status that an error chain asks for. A lockfile that is missing, altered or another definition's is
/// a failure, no invalid definition: `orlop lock` mends it, and the definition stays as it is.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.chain().any(is_refusal) {
        REFUSED
    } else if error.chain().any(|cause| cause.is::<GatesFail>()) {
        GATES
    } else if error.chain().any(|cause| cause.is::<watch::RebuildDue>()) {
        DUE
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
    let lockfile = |error: &ProjectError| {
        use ProjectError::{Altered, Broken, Lock, NoLock};
        matches!(error, Lock(_) | NoLock { .. } | Broken(_) | Altered { .. })
    };
    let definition = |error: &ProjectError| !lockfile(error);
    let named = matches!(cause.downcast_ref(), Some(sources::Error::Named { .. }));
    let text = cause.is::<Mistake>() || cause.is::<Problems>();
    cause.is::<Usage>() || text || named || cause.downcast_ref().is_some_and(definition)
}

/// Arguments that parse but do not fit together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The manual pages and completions say nothing else.
    #[test]
    fn every_command_and_every_option_says_what_it_is() {
        fn check(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some(), "{path} says nothing of itself");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.trim().is_empty(), "{path}: nothing is said of `{}`", argument.get_id());
            }
            for verb in command.get_subcommands() {
                check(verb, &format!("{path} {}", verb.get_name()));
            }
        }
        Cli::command().debug_assert();
        check(&Cli::command(), "orlop");
    }

    #[test]
    fn what_init_refuses_is_status_3_and_what_merely_failed_is_1() {
        let log = || orlop_machine::Log { path: "serial.log".into(), tail: Vec::new() };
        let awaited = || "healthy kubelet".to_owned();
        let refused = orlop_machine::Error::Refused {
            awaited: awaited(),
            stage: "signature".into(),
            reason: "it is not this key's".into(),
            log: log(),
        };
        assert_eq!(exit_status(&anyhow::Error::from(refused).context("booting")), REFUSED);
        let panic = orlop_machine::Error::Panic { awaited: awaited(), line: "refused".into(), log: log() };
        assert_eq!(exit_status(&panic.into()), 1);
        assert_eq!(exit_status(&orlop_machine::Error::Stopped { awaited: awaited() }.into()), 1);
        assert_eq!(exit_status(&Usage("--until".into()).into()), USAGE);
    }
}
