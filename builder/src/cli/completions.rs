//! `orlop completions`: a shell's script that completes this command line.

use anyhow::Context as _;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde::Serialize;

use super::{Cli, Context};

/// Print a script by which a shell completes the arguments of `orlop`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop completions bash > ~/.local/share/bash-completion/completions/orlop")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Serialize)]
struct Answer {
    shell: String,
    script: String,
}

/// Runs the verb.
pub fn run(args: &CompletionsArgs, context: &Context) -> anyhow::Result<()> {
    let script = script(args.shell)?;
    context.result(&Answer { shell: args.shell.to_string(), script: script.clone() }, &script)
}

fn script(shell: Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orlop", &mut script);
    String::from_utf8(script).context("the script is no text")
}
