//! `net`: the network, the time and the node config of a cluster node. Started by PID 1, which starts it anew if it ends.

use orlop_net::host::engine::Engine;
use orlop_net::options;
use orlop_net::plan::Plan;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("net: {usage}");
            return ExitCode::from(2);
        }
    };
    match Engine::open(options.run, Plan::automatic(&options.cards)).and_then(Engine::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("net: {error}");
            ExitCode::FAILURE
        }
    }
}
