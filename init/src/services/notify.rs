//! The readiness socket (`sd_notify(3)`). A datagram counts only from the service's main process,
//! and only as a hint to run the health check now.

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, bind, recvmsg, setsockopt, socket,
    sockopt,
};
use nix::unistd::Pid;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Where services send to.
pub const PATH: &str = "/run/orlop/notify";

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

    /// The processes that say that they are ready.
    pub fn ready(&self) -> Vec<Pid> {
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
            if let Some(pid) = sender
                && text[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
            {
                found.push(pid);
            }
        }
    }
}
