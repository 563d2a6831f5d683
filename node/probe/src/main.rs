//! The test pod (privileged, in the host's process and network namespaces, the host's root at `/host`): it reads from
//! inside what the booted node is, writes one JSON line per topic to the virtio-serial port `orlop.probe`, and then
//! does what the lines that come back ask for. It is in test images only.

mod act;
mod command;
mod port;
mod report;
mod sys;

use port::Port;
use std::process::ExitCode;

/// The port's name, as the machine was given it.
const PORT: &str = "orlop.probe";

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reports once, then answers for ever: the pod's end ends it.
fn serve() -> std::io::Result<()> {
    let mut port = Port::open(PORT)?;
    for line in report::all() {
        port.write_line(&line)?;
    }
    loop {
        let line = port.read_line()?;
        for answer in answers(&line) {
            port.write_line(&answer)?;
        }
    }
}

fn answers(line: &[u8]) -> Vec<serde_json::Value> {
    match command::parse(line) {
        Ok(command::Command::Report) => report::all(),
        Ok(command) => vec![act::act(&command)],
        Err(reason) => vec![act::failed("parse", &reason)],
    }
}
