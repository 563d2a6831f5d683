//! `net`: the network, the time and the node config of a cluster node. Started by PID 1, which starts it anew if it ends.

use orlop_net::host::engine::Engine;
use orlop_net::{options, sys};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("net: {usage}");
            return ExitCode::from(2);
        }
    };
    let started = sys::handed_pipe().map_err(|source| orlop_net::Error::file("standard output")(source));
    match started.and_then(|pipe| Engine::open(options, pipe)).and_then(Engine::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("net: {error}");
            ExitCode::FAILURE
        }
    }
}
