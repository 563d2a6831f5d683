//! The socket of `sd_notify(3)`. A datagram counts only from the service's main process: `READY=1` as a hint to run the
//! health check now, `WATCHDOG=1` as a sign of life.

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, bind, recvmsg, setsockopt, socket,
    sockopt,
};
use nix::unistd::Pid;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Where services send to.
pub const PATH: &str = "/run/orlop/notify";

/// What a service says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It is ready.
    Ready,
    /// It does not hang.
    Alive,
}

/// The bound socket.
#[derive(Debug)]
pub struct Notify(OwnedFd);

impl Notify {
    /// Binds it.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        setsockopt(&socket, sockopt::PassCred, &true)?;
        bind(socket.as_raw_fd(), &UnixAddr::new(PATH)?)?;
        Ok(Notify(socket))
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// What processes said since.
    pub fn read(&self) -> Vec<(Pid, Word)> {
        let mut found = Vec::new();
        let mut text = [0u8; 1024];
        let mut space = nix::cmsg_space!(nix::libc::ucred);
        loop {
            let mut parts = [IoSliceMut::new(&mut text)];
            let Ok(message) =
                recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
            else {
                return found;
            };
            let length = message.bytes;
            let sender = message.cmsgs().ok().and_then(|mut control| {
                control.find_map(|one| match one {
                    ControlMessageOwned::ScmCredentials(credentials) => Some(Pid::from_raw(credentials.pid())),
                    _ => None,
                })
            });
            found.extend(sender.into_iter().flat_map(|pid| words(&text[..length]).map(move |word| (pid, word))));
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = Word> {
    text.split(|byte| *byte == b'\n').filter_map(|line| match line {
        b"READY=1" => Some(Word::Ready),
        b"WATCHDOG=1" => Some(Word::Alive),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_lines() {
        let all = |text: &[u8]| words(text).collect::<Vec<_>>();
        assert_eq!(all(b"READY=1\nSTATUS=well\nWATCHDOG=1\n"), [Word::Ready, Word::Alive]);
        assert_eq!(all(b"WATCHDOG=1"), [Word::Alive]);
        assert_eq!(all(b"WATCHDOG=trigger\nXREADY=1\n\xff"), []);
    }
}
