//! The pair of sockets with PID 1, which no pod can reach: it writes `shutdown`, and reads `inhibitors=N` whenever their
//! number changes from then on. Its end is the program's standard output.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// PID 1 says so in the environment of a program whose standard output it gave (`READS_STDOUT` in `config/src/node.rs`, set in
/// `init/src/services/service.rs`). Written out here: this program does without the documents' crate.
const GIVEN: &str = "ORLOP_READS_STDOUT";
/// What PID 1 writes.
pub const SHUTDOWN: &[u8] = b"shutdown\n";

/// This end of it.
#[derive(Debug)]
pub struct Order {
    socket: UnixStream,
    read: Vec<u8>,
}

impl Order {
    /// Takes what PID 1 gave; nothing where somebody else started the program.
    pub fn handed() -> io::Result<Option<Self>> {
        if std::env::var_os(GIVEN).is_none() {
            return Ok(None);
        }
        let socket = io::stdout().as_fd().try_clone_to_owned()?;
        // PID 1 hears the end of the pair when this program closes the one that it keeps.
        nix::unistd::dup2_stdout(io::stderr())?;
        Order::new(socket.into()).map(Some)
    }

    /// One end of a pair.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Order { socket, read: Vec::new() })
    }

    /// What to poll for.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the machine is to stop; an error: nobody is at the other end.
    pub fn read(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 64];
        match self.socket.read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.read.extend(&bytes[..count]);
                let keep = self.read.len().saturating_sub(SHUTDOWN.len());
                self.read.drain(..keep);
                Ok(self.read == SHUTDOWN)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says how many inhibitors are held.
    pub fn say(&mut self, inhibitors: usize) -> io::Result<()> {
        self.socket.write_all(format!("inhibitors={inhibitors}\n").as_bytes())
    }
}
