//! The command line: three verbs, parsed by hand because there is no more to it.

use crate::channel::{Channel, SOCKET};
use crate::import::Order;
use crate::{Error, Result, import, stop, wait};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is said to a wrong command line.
const USAGE: &str = "usage: cri [--socket PATH] import FILE REFERENCE | wait-pod NAME... | stop-all [--within SECONDS]";

/// Where containerd keeps what it has.
const ROOT: &str = "/var/lib/containerd";

/// For an import. PID 1 kills one that takes 600 s: what cannot be imported is to be removed before.
const IMPORT: Duration = Duration::from_secs(480);

/// Where the kernel tells the host's name, which is the node's.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// One verb with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// Imports an archive as an image.
    Import {
        /// The OCI archive.
        file: PathBuf,
        /// The name that the image gets.
        reference: String,
    },
    /// Waits until the pods run.
    WaitPod {
        /// The pods' names.
        names: Vec<String>,
    },
    /// Stops everything that runs.
    StopAll {
        /// What the caller has time for; without it, as long as it takes.
        within: Option<Duration>,
    },
}

/// A whole command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// containerd's socket.
    pub socket: PathBuf,
    /// What to do.
    pub verb: Verb,
}

/// Reads the arguments, without the program's name.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> std::result::Result<Request, String> {
    let mut arguments: Vec<String> = arguments
        .map(|argument| argument.into_string())
        .collect::<std::result::Result<_, _>>()
        .map_err(|argument| format!("argument is not UTF-8: {argument:?}"))?;
    let mut socket = PathBuf::from(SOCKET);
    if arguments.len() >= 2 && arguments[0] == "--socket" {
        socket = PathBuf::from(&arguments[1]);
        arguments.drain(..2);
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let verb = match words.as_slice() {
        ["import", file, reference] => Verb::Import { file: PathBuf::from(file), reference: (*reference).to_owned() },
        ["wait-pod", names @ ..] if !names.is_empty() => {
            Verb::WaitPod { names: names.iter().map(|name| (*name).to_owned()).collect() }
        }
        ["stop-all"] => Verb::StopAll { within: None },
        ["stop-all", "--within", seconds] => {
            let within =
                seconds.parse().map_err(|_| format!("--within {seconds}: not a number of seconds; {USAGE}"))?;
            Verb::StopAll { within: Some(Duration::from_secs(within)) }
        }
        _ => return Err(USAGE.to_owned()),
    };
    Ok(Request { socket, verb })
}

/// Does what was asked, on this thread.
pub fn run(request: Request) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(Error::Runtime)?;
    runtime.block_on(async {
        let channel = Channel::connect(&request.socket).await?;
        match request.verb {
            Verb::Import { file, reference } => {
                let tell = |what: &str| println!("image={reference} differed: {what}; it is unpacked anew");
                let order = Order { root: Path::new(ROOT), file: &file, reference: &reference, within: IMPORT };
                let outcome = import::import(&channel, &order, tell).await?;
                println!("image={reference} {outcome}");
                Ok(())
            }
            Verb::WaitPod { names } => {
                let node = std::fs::read_to_string(HOST_NAME).map_err(Error::HostName)?;
                let pods = wait::of_node(names, node.trim());
                wait::wait_pods(&channel, pods, |name| println!("pod={name} state=running")).await
            }
            Verb::StopAll { within } => stop::stop_all(&channel, within, |line| println!("{line}")).await,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> std::result::Result<Request, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn verbs_are_read_and_anything_else_is_wrong_usage() {
        let verb = |line: &str| words(line).map(|request| request.verb);
        assert_eq!(verb("stop-all"), Ok(Verb::StopAll { within: None }));
        assert_eq!(verb("stop-all --within 85"), Ok(Verb::StopAll { within: Some(Duration::from_secs(85)) }));
        assert!(verb("stop-all --within soon").is_err_and(|error| error.contains("soon")));
        let request = words("--socket /s import a.tar localhost/pause:1").expect("right usage");
        assert_eq!(request.socket, PathBuf::from("/s"));
        assert_eq!(request.verb, Verb::Import { file: "a.tar".into(), reference: "localhost/pause:1".into() });
        for wrong in ["", "import a.tar", "wait-pod", "stop-all now", "--socket", "--socket /s"] {
            assert_eq!(words(wrong), Err(USAGE.to_owned()), "{wrong}");
        }
    }
}
