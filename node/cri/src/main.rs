//! `cri`: one verb over containerd's gRPC, then out. PID 1 starts it with a deadline and reads a line from a pipe, so
//! that gRPC and its dependencies never enter PID 1.

use orlop_cri::{Error, cli};
use std::process::ExitCode;

/// Exit status of `stop-all` for: all were asked to stop, and some did not. Asking again would not help.
const PARTLY: u8 = 3;

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(usage) => {
            eprintln!("cri: {usage}");
            return ExitCode::from(2);
        }
    };
    match cli::run(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cri: {error}");
            match error {
                Error::NotStopped { .. } => ExitCode::from(PARTLY),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
