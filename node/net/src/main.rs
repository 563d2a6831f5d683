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
    // Before anything else opens files: PID 1 gives it as number 3, the first time.
    let pipe = sys::inherited_pipe(3);
    match Engine::open(options, pipe).and_then(Engine::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("net: {error}");
            ExitCode::FAILURE
        }
    }
}
