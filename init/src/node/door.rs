//! The door at which kubelet finds its container runtime: a link. Until containerd answers and has the images that the
//! root carries, it leads to a socket of PID 1, which greets whoever calls and has them wait; then to containerd's own.
//!
//! kubelet asks its runtime for its version once, and ends when nobody is there. With the door it starts beside
//! containerd instead of after it, which is seconds of a boot. What waits is one gRPC call, and it is sent on as HTTP/2
//! has it: GOAWAY with 0 as the last stream says that nothing was done, and gRPC makes the call anew on a new
//! connection (RFC 9113 §6.8; gRPC's proposal A6, "transparent retries").

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// An empty SETTINGS frame: the server's half of the greeting (RFC 9113 §3.4).
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY: no stream was looked at, no error (RFC 9113 §6.8).
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// kubelet has two connections; who comes when so many wait is turned away.
const CALLERS: usize = 16;

/// The door, as long as PID 1 stands at it.
#[derive(Debug)]
pub struct Door {
    link: PathBuf,
    listener: UnixListener,
    callers: Vec<UnixStream>,
    open: bool,
}

impl Door {
    /// Stands at the door: `link`, which is made, leads to a socket beside it.
    pub fn keep(link: &Path) -> io::Result<Self> {
        let own = own_socket(link);
        let listener = UnixListener::bind(&own)?;
        listener.set_nonblocking(true)?;
        lead(link, &own)?;
        Ok(Door { link: link.into(), listener, callers: Vec::new(), open: false })
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Greets who called, and sends them on once the door is open.
    pub fn greet(&mut self) {
        while let Ok((mut caller, _)) = self.listener.accept() {
            let welcome = self.callers.len() < CALLERS && caller.set_nonblocking(true).is_ok();
            if welcome && caller.write_all(SETTINGS).is_ok() {
                self.callers.push(caller);
            }
        }
        if self.open {
            self.send_on();
        }
    }

    /// From now on the door leads to the runtime's `socket`; who waited is sent there. Who looked the way up just
    /// before still calls here, so the door is not to be dropped at once.
    pub fn open(&mut self, socket: &Path) -> io::Result<()> {
        lead(&self.link, socket)?;
        self.open = true;
        self.greet();
        Ok(())
    }

    fn send_on(&mut self) {
        for mut caller in self.callers.drain(..) {
            // What is left unread when a Unix socket is closed makes an error of the other end's next read.
            let mut rest = [0; 4096];
            while matches!(caller.read(&mut rest), Ok(1..)) {}
            let _ = caller.write_all(GOAWAY);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(own_socket(&self.link));
    }
}

fn own_socket(link: &Path) -> PathBuf {
    link.with_extension("waiting")
}

/// Makes the link anew, in one step: there is always a door.
fn lead(link: &Path, to: &Path) -> io::Result<()> {
    let beside = link.with_extension("new");
    let _ = fs::remove_file(&beside);
    symlink(to, &beside)?;
    fs::rename(&beside, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(mut caller: UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        caller.read_to_end(&mut bytes).expect("what the door says, to its end");
        bytes
    }

    #[test]
    fn who_waits_is_greeted_and_sent_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("cri.sock");
        let runtime = UnixListener::bind(folder.path().join("runtime.sock")).expect("a runtime");
        let mut door = Door::keep(&link).expect("a door");
        let mut early = UnixStream::connect(&link).expect("the door");
        early.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("a call");
        door.greet();
        let mut greeting = [0; 9];
        early.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(greeting, *SETTINGS);

        let late = UnixStream::connect(&link).expect("the door");
        door.open(&folder.path().join("runtime.sock")).expect("the way to the runtime");
        assert_eq!(answer(early), GOAWAY);
        assert_eq!(answer(late), [SETTINGS, GOAWAY].concat());

        let through = UnixStream::connect(&link).expect("the runtime");
        assert!(runtime.accept().is_ok());
        drop(through);
        drop(door);
        assert!(!own_socket(&link).exists());
        assert!(UnixStream::connect(&link).is_ok(), "the door stays where it leads");
    }

    #[test]
    fn too_many_are_turned_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("cri.sock");
        let mut door = Door::keep(&link).expect("a door");
        let mut callers: Vec<_> = (0..=CALLERS).map(|_| UnixStream::connect(&link).expect("the door")).collect();
        door.greet();
        let turned_away = callers.pop().expect("the last");
        assert_eq!(answer(turned_away), b"");
        assert_eq!(door.callers.len(), CALLERS);
    }
}
