//! The test pod (privileged, in the host's process and network namespaces, the host's root at `/host`): it reads from
//! inside what the booted node is, writes one JSON line per topic to the virtio-serial port `orlop.probe`, and then
//! does what the lines that come back ask for. Started by kubelet, it is a credential provider. It is in test images only.

mod act;
mod attack;
mod command;
mod credentials;
mod port;
mod report;
mod sys;
mod trace;
mod workload;

use nix::sys::signal::{SigSet, Signal};
use port::Port;
use std::process::ExitCode;

/// The port's name, as the machine was given it.
const PORT: &str = "orlop.probe";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [attack::ON_HOST, attack] => {
            println!("{}", act::answer("attack", attack::enter_host(attack)));
            Ok(())
        }
        [workload::WORKLOAD] => {
            println!("workload {}", workload::all());
            rest()
        }
        [workload::USER_NAMESPACE] => return workload::user_namespace().into(),
        [workload::NOTHING] => Ok(()),
        [credentials::CREDENTIALS] => credentials::answer(),
        _ => serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for the pod's end.
fn rest() -> std::io::Result<()> {
    let mut end = SigSet::empty();
    end.add(Signal::SIGTERM);
    end.thread_block()?;
    end.wait()?;
    Ok(())
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
