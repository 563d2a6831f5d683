//! The two sockets: one asks and waits for the answer (the kernel has it ready when the question is sent), one listens.

use super::message::{Builder, DONE, Message, Messages};
use crate::reads::MOST;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
    sockopt,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The groups of `RTMGRP_*` that are listened to: links, addresses and routes of both families, the flags that a router
/// advertisement leaves, and the options of it that the kernel does not keep for itself (name servers).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400 | 0x800 | 1 << 19;
/// A dump comes in pieces of up to 32 KiB.
const BUFFER: usize = 64 << 10;
/// Room for events while this program is busy; a burst beyond it costs a look at everything.
const EVENTS_KEPT: usize = 1 << 20;

/// Asks.
#[derive(Debug)]
pub struct Requests {
    socket: OwnedFd,
    sequence: u32,
}

impl Requests {
    /// For links, addresses and routes.
    pub fn open() -> io::Result<Self> {
        Self::of(SockProtocol::NetlinkRoute)
    }

    /// For a family of netlink.
    pub fn of(protocol: SockProtocol) -> io::Result<Self> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // An answer that never comes must not hold up everything else.
        setsockopt(&socket, sockopt::ReceiveTimeout, &nix::sys::time::TimeVal::new(5, 0))?;
        Ok(Requests { socket, sequence: 0 })
    }

    /// Sends a request; an error of the kernel is an error.
    pub fn ask(&mut self, request: Builder) -> io::Result<()> {
        self.exchange(request, |_| ())
    }

    /// Sends a request for a list and hands on each message of the answer.
    pub fn list(&mut self, request: Builder, each: impl FnMut(&Message<'_>)) -> io::Result<()> {
        self.exchange(request, each)
    }

    /// The number under which the next message goes.
    pub fn number(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    /// Sends bytes that hold messages, the last of which asks for an answer under `sequence`.
    pub fn send(&mut self, bytes: &[u8], sequence: u32, mut each: impl FnMut(&Message<'_>)) -> io::Result<()> {
        send(self.socket.as_raw_fd(), bytes, MsgFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            for message in Messages(&buffer[..length]) {
                match message.error() {
                    // Errors of an earlier message of the same bytes count as well.
                    Some(code) if code != 0 => return Err(io::Error::from_raw_os_error(code)),
                    _ if message.sequence != sequence => {}
                    Some(_) => return Ok(()),
                    None if message.kind == DONE => return Ok(()),
                    None => each(&message),
                }
            }
        }
    }

    fn exchange(&mut self, request: Builder, each: impl FnMut(&Message<'_>)) -> io::Result<()> {
        let sequence = self.number();
        self.send(&request.finish(sequence), sequence, each)
    }
}

/// Listens.
#[derive(Debug)]
pub struct Events(OwnedFd);

impl Events {
    /// To links, addresses and routes.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        setsockopt(&socket, sockopt::RcvBuf, &EVENTS_KEPT)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Events(socket))
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Hands on what has happened, as much as a turn of the loop may read. `false`: events were lost.
    pub fn read(&self, mut each: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let mut buffer = vec![0; BUFFER];
        for _ in 0..MOST {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => Messages(&buffer[..length]).for_each(|message| each(&message)),
                Err(Errno::EAGAIN) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}
