//! The kernel's announcements of devices (`NETLINK_KOBJECT_UEVENT`): a reason to look again.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// The kernel's own group; user space cannot send to it.
const KERNEL: u32 = 1;

/// A subscription to device events.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Subscribes. To be done before the first look, so that nothing is missed between the two.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkKObjectUEvent)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
        Ok(Uevents(socket))
    }

    /// Waits until a device came, went or changed; false at the deadline.
    pub fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(30));
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left.as_millis() as i32).unwrap_or(PollTimeout::ZERO);
        match poll(&mut ready, timeout) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.drain();
        Ok(true)
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Forgets what was announced: who asks looks at everything anyway. A full buffer (ENOBUFS)
    /// is one more announcement.
    pub fn drain(&self) {
        let mut buffer = [0u8; 4096];
        while let Ok(_) | Err(Errno::ENOBUFS) = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {}
    }
}
