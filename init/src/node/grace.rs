//! The pods' grace: PID 1's end of the pair of sockets with `orlop-logind`, which tells kubelet that the machine is about to
//! stop, and PID 1 when kubelet has ended the pods. No pod reaches the pair: it is handed over when the program starts.

use super::{KUBELET, LOGIND, Node};
use crate::report::{Refusal, or_refuse};
use crate::services::Service;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What kubelet needs beside the pods' grace, on a slow machine.
const SLACK: Duration = Duration::from_secs(15);
/// What the program writes is one short line a time; more is none of its own.
const LONGEST: usize = 256;

/// This end of the pair.
#[derive(Debug)]
pub struct Grace {
    /// None once the other end is closed.
    socket: Option<UnixStream>,
    read: Vec<u8>,
    asked: bool,
    inhibitors: Option<usize>,
}

impl Grace {
    /// A pair: this end, and the one for the program.
    fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Grace { socket: Some(ours), read: Vec::new(), asked: false, inhibitors: None }, theirs.into()))
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Says that the machine is to stop.
    fn ask(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Err(ErrorKind::NotConnected.into()) };
        self.asked = true;
        socket.write_all(b"shutdown\n")
    }

    /// Reads what is there: numbers of inhibitors.
    pub fn read(&mut self) -> Vec<usize> {
        let mut bytes = [0; LONGEST];
        match self.socket.as_mut().map(|socket| socket.read(&mut bytes)) {
            Some(Ok(count)) if count > 0 && self.read.len() + count <= LONGEST => self.read.extend(&bytes[..count]),
            None => {}
            Some(Err(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            _ => self.socket = None,
        }
        let whole = self.read.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.read.drain(..whole).collect();
        let lines = String::from_utf8_lossy(&lines).into_owned();
        let heard: Vec<usize> =
            lines.lines().filter_map(|line| line.strip_prefix("inhibitors=")?.parse().ok()).collect();
        self.inhibitors = heard.last().copied().or(self.inhibitors);
        heard
    }

    /// Whether nothing is waited for: nobody was asked, nobody can answer, or the answer was that no inhibitor is held.
    fn is_over(&self) -> bool {
        !self.asked || self.socket.is_none() || self.inhibitors == Some(0)
    }
}

/// Starts `orlop-logind`: its socket is there before kubelet, which looks for it once.
pub fn start(node: &mut Node) -> Result<(), Refusal> {
    or_refuse(hand_over(node), "logind", "a pair of sockets")?;
    node.start_service(LOGIND);
    Ok(())
}

/// The next start of the program gets the other end of a new pair.
pub fn hand_over(node: &mut Node) -> io::Result<()> {
    let (grace, theirs) = Grace::pair()?;
    node.grace = Some(grace);
    node.services[LOGIND].give(theirs);
    Ok(())
}

/// Whether the socket is there.
pub fn ready(node: &mut Node) -> Result<bool, Refusal> {
    Ok(node.services[LOGIND].healthy())
}

/// How long the pods of a node config that gives them so many seconds may take together.
pub fn limit(seconds: u64) -> Duration {
    Duration::from_secs(seconds) + SLACK
}

/// Has kubelet end the pods, where it can: else the containers are stopped without it.
pub fn ask(node: &mut Node) {
    if !node.services.get(KUBELET).is_some_and(Service::healthy) {
        return;
    }
    if let Some(Err(error)) = node.grace.as_mut().map(Grace::ask) {
        node.report.error("shutdown", format!("kubelet does not hear of it: {error}"));
    }
}

/// Says what was heard.
pub fn hear(node: &mut Node) {
    for inhibitors in node.grace.as_mut().map(Grace::read).unwrap_or_default() {
        node.report.note("pods", format!("inhibitors={inhibitors}"));
    }
}

/// Whether kubelet is through, or there is nobody to wait for.
pub fn is_over(node: &mut Node) -> bool {
    let gone = node.services.get(KUBELET).is_none_or(|service| service.pid().is_none());
    gone || node.grace.as_ref().is_none_or(Grace::is_over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Grace, UnixStream) {
        let (grace, theirs) = Grace::pair().expect("a pair");
        (grace, theirs.into())
    }

    #[test]
    fn the_answer_is_awaited_until_no_inhibitor_is_held() {
        let (mut grace, mut logind) = pair();
        assert!(grace.is_over(), "nobody was asked");
        grace.ask().expect("asked");
        let mut asked = [0; 9];
        logind.read_exact(&mut asked).expect("heard");
        assert_eq!(&asked, b"shutdown\n");
        assert_eq!(grace.read(), [0; 0]);
        assert!(!grace.is_over());
        logind.write_all(b"inhibitors=2\ninhibitors=1\ninhib").expect("said");
        assert_eq!(grace.read(), [2, 1]);
        assert!(!grace.is_over());
        logind.write_all(b"itors=0\n").expect("said");
        assert_eq!(grace.read(), [0]);
        assert!(grace.is_over());
    }

    #[test]
    fn a_program_that_ends_holds_up_nothing() {
        let (mut grace, logind) = pair();
        grace.ask().expect("asked");
        drop(logind);
        grace.read();
        assert!(grace.is_over() && grace.fd().is_none(), "nothing to poll for, which would be ready always");
        assert!(grace.ask().is_err());
    }

    #[test]
    fn a_flood_is_no_answer() {
        let (mut grace, mut logind) = pair();
        grace.ask().expect("asked");
        logind.write_all(&[b'x'; 2 * LONGEST]).expect("said");
        grace.read();
        grace.read();
        assert!(grace.fd().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_heard(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut grace, mut logind) = pair();
            logind.write_all(&bytes).expect("said");
            grace.read();
            prop_assert!(grace.fd().is_some());
        }
    }
}
