//! The one socket of all cards: port 546 of every address. A link's own addresses say which card a packet came in by.

use super::message::{CLIENT_PORT, MAXIMUM, SERVER_PORT, SERVERS};
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

/// The socket; none on a machine without IPv6.
#[derive(Debug)]
pub struct Socket(Option<UdpSocket>);

impl Socket {
    /// Binds it; this needs `CAP_NET_BIND_SERVICE`.
    pub fn open() -> io::Result<Self> {
        match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, CLIENT_PORT)) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                Ok(Socket(Some(socket)))
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT) => Ok(Socket(None)),
            Err(error) => Err(error),
        }
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|socket| socket.as_fd())
    }

    /// Sends a packet to all servers of a card's link.
    pub fn send(&self, packet: &[u8], index: u32) -> io::Result<()> {
        let Some(socket) = &self.0 else { return Ok(()) };
        socket.send_to(packet, SocketAddrV6::new(SERVERS, SERVER_PORT, 0, index)).map(|_| ())
    }

    /// The next packet, and its card; none: it came from elsewhere than the link. RFC 8415 §7.2 names ports to send to, none
    /// to send from.
    pub fn receive(&self) -> io::Result<Option<(u32, Vec<u8>)>> {
        let mut packet = [0; MAXIMUM];
        let socket = self.0.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        Ok(match socket.recv_from(&mut packet)? {
            (length, SocketAddr::V6(from)) if from.ip().is_unicast_link_local() => {
                Some((from.scope_id(), packet[..length].to_vec()))
            }
            _ => None,
        })
    }
}
