//! What a test can ask for: one JSON object a line.

use crate::attack::Attack;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// All topics once more.
    Report,
    /// Reads a whole file.
    Read {
        /// The file.
        path: PathBuf,
    },
    /// Writes a file.
    Write {
        /// The file.
        path: PathBuf,
        /// Its whole new content.
        text: String,
    },
    /// Sends a signal to every process of that name.
    Kill {
        /// The name, as in `/proc/PID/comm`.
        comm: String,
        /// The signal's number.
        signal: i32,
    },
    /// Sends a signal to one process.
    Signal {
        /// Its id.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
    /// Waits until a process is no more: it ended, and somebody took its status.
    AwaitEnd {
        /// Its id.
        pid: i32,
        /// For how long at most.
        seconds: u64,
    },
    /// The processes of that name.
    Pids {
        /// The name, as in `/proc/PID/comm`.
        comm: String,
    },
    /// The names in a folder.
    List {
        /// The folder.
        path: PathBuf,
    },
    /// Sends one datagram to a socket of the filesystem.
    Datagram {
        /// The socket.
        path: PathBuf,
        /// What is sent.
        text: String,
    },
    /// Asks an HTTP server of the host's network for `/`.
    Fetch {
        /// Its address and port.
        address: SocketAddr,
    },
    /// Takes all space of a filesystem but this much.
    Fill {
        /// The file that takes it.
        path: PathBuf,
        /// What is left.
        leave_bytes: u64,
    },
    /// Gives the space back.
    Unfill {
        /// The file that took it.
        path: PathBuf,
    },
    /// Forgets clean pages, so that the next read comes from the disk.
    DropCaches {},
    /// Waits until a file has a line with this.
    AwaitText {
        /// The file.
        path: PathBuf,
        /// What the line has.
        text: String,
        /// For how long at most.
        seconds: u64,
    },
    /// Does what ordinary programs do, in this privileged pod.
    Workload {},
    /// Tries something against the node.
    Attack {
        /// What.
        attack: Attack,
        /// Whether from the host's mounts, not the pod's.
        #[serde(default)]
        on_host: bool,
    },
}

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<Command, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_read() {
        let kill = Command::Kill { comm: "kubelet".into(), signal: 9 };
        assert_eq!(parse(br#"{"do":"kill","comm":"kubelet","signal":9}"#), Ok(kill));
        assert_eq!(parse(br#"{"do":"drop-caches"}"#), Ok(Command::DropCaches {}));
        assert_eq!(parse(br#"{"do":"report"}"#), Ok(Command::Report));
        let fill = Command::Fill { path: "/host/var/fill".into(), leave_bytes: 0 };
        assert_eq!(parse(br#"{"do":"fill","path":"/host/var/fill","leave_bytes":0}"#), Ok(fill));
        let fetch = Command::Fetch { address: ([10, 0, 0, 2], 8080).into() };
        assert_eq!(parse(br#"{"do":"fetch","address":"10.0.0.2:8080"}"#), Ok(fetch));
        for wrong in ["", "{}", r#"{"do":"sing"}"#, r#"{"do":"read"}"#, r#"{"do":"drop-caches","x":1}"#] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_and_every_cut_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0usize..41) {
            let _ = parse(&bytes);
            let cut_short = parse(&br#"{"do":"kill","comm":"kubelet","signal":9}"#[..cut]).is_err();
            prop_assert!(cut_short);
        }

        #[test]
        fn any_text_goes_through(path in "[^\0]{1,40}", text in ".*") {
            let line = serde_json::json!({"do": "write", "path": path, "text": text}).to_string();
            prop_assert_eq!(parse(line.as_bytes()), Ok(Command::Write { path: path.into(), text }));
        }
    }
}
