//! `cri`: one verb over containerd's gRPC, then out. PID 1 starts it with a deadline and reads a line from a pipe, so
//! that gRPC and its dependencies never enter PID 1.

use orlop_cri::cli;
use std::process::ExitCode;

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
            ExitCode::from(error.exit_code())
        }
    }
}
