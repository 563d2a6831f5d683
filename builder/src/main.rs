//! `orlop`: one TOML definition becomes an immutable, signed disk image. Parses, runs, prints one error chain.

use std::process::ExitCode;

use clap::Parser;
use orlop::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; they are no failure.
            let _ = error.print();
            return if error.use_stderr() { cli::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orlop: {error:#}");
            cli::exit_status(&error).into()
        }
    }
}
