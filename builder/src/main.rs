//! `orlop`: one TOML definition becomes an immutable, signed disk image. Parses, runs, prints one error chain.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use nix::sys::stat::{Mode, umask};
use orlop::cli::{self, Cli};
use orlop::text::printable;

/// Names of files and packages stand in errors, and come from whoever made the image.
fn error_text(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn main() -> ExitCode {
    // Tools put it into what they make (mkfs.erofs into the inode that holds the fragments), and the same inputs
    // must give the same bytes. What is secret says so by its own mode.
    umask(Mode::from_bits_truncate(0o022));
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
            // Nobody may be reading any more (`… 2>&1 | head -1`), which is no reason for a panic.
            let _ = writeln!(std::io::stderr(), "orlop: {}", error_text(&error));
            cli::exit_status(&error).into()
        }
    }
}
