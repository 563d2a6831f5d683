//! The sockets of questions for the time, one a family: random ports, unbound until the first question.

use super::message::PORT;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

/// There is a way to an address: a socket that is connected looks for a route and for an address of this machine's to
/// speak from, and sends nothing.
pub fn reaches(to: IpAddr) -> bool {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((to, PORT))).is_ok()
}

/// The sockets; a machine without IPv6 has one.
#[derive(Debug)]
pub struct Sockets {
    v4: UdpSocket,
    v6: Option<UdpSocket>,
}

impl Sockets {
    /// Opens them.
    pub fn open() -> io::Result<Self> {
        let v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        v4.set_nonblocking(true)?;
        let v6 = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).ok();
        if let Some(v6) = &v6 {
            v6.set_nonblocking(true)?;
        }
        Ok(Sockets { v4, v6 })
    }

    /// What to poll for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(&self.v4).chain(&self.v6).map(|socket| socket.as_fd())
    }

    /// Sends a question to a server, to a port.
    pub fn send(&self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let none = || io::Error::other("this machine has no IPv6");
        let socket = if to.is_ipv4() { &self.v4 } else { self.v6.as_ref().ok_or_else(none)? };
        socket.send_to(packet, (to, PORT)).map(|_| ())
    }

    /// The next packet of a family's; none: it did not come from port 123.
    pub fn receive(&self, v6: bool, packet: &mut [u8]) -> io::Result<Option<(IpAddr, usize)>> {
        let socket = if v6 { self.v6.as_ref().ok_or(io::ErrorKind::WouldBlock)? } else { &self.v4 };
        let (length, from) = socket.recv_from(packet)?;
        Ok((from.port() == PORT).then(|| (from.ip().to_canonical(), length)))
    }
}
