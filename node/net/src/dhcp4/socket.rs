//! The one socket of all cards: port 68 of every address. The card is told by `IP_PKTINFO`, so that neither raw sockets
//! nor a socket bound to a card are needed.

use super::message::{CLIENT_PORT, MAXIMUM, Reply, SERVER_PORT};
use nix::libc::in_pktinfo;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The socket.
#[derive(Debug)]
pub struct Socket(UdpSocket);

impl Socket {
    /// Binds it; this needs `CAP_NET_BIND_SERVICE`.
    pub fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, CLIENT_PORT))?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        Ok(Socket(socket))
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Sends a packet out of a card: to one server, or to everybody.
    pub fn send(&self, packet: &[u8], index: u32, to: Option<Ipv4Addr>) -> io::Result<()> {
        let none = nix::libc::in_addr { s_addr: 0 };
        let card = in_pktinfo { ipi_ifindex: index as _, ipi_spec_dst: none, ipi_addr: none };
        let to = SockaddrIn::from(SocketAddrV4::new(to.unwrap_or(Ipv4Addr::BROADCAST), SERVER_PORT));
        let control = [ControlMessage::Ipv4PacketInfo(&card)];
        sendmsg(self.0.as_raw_fd(), &[IoSlice::new(packet)], &control, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }

    /// The next packet, and its card; none: it is no answer of a server.
    pub fn receive(&self) -> io::Result<Option<(u32, Reply)>> {
        let mut packet = [0; MAXIMUM];
        let mut space = nix::cmsg_space!(in_pktinfo);
        let mut parts = [IoSliceMut::new(&mut packet)];
        let received = recvmsg::<SockaddrIn>(self.0.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
        let length = received.bytes;
        let from_server = received.address.is_some_and(|from| from.port() == SERVER_PORT);
        let card = received.cmsgs().ok().and_then(|mut control| {
            control.find_map(|one| match one {
                ControlMessageOwned::Ipv4PacketInfo(info) => u32::try_from(info.ipi_ifindex).ok(),
                _ => None,
            })
        });
        Ok(card.filter(|_| from_server).and_then(|card| Some((card, Reply::parse(&packet[..length])?))))
    }
}
