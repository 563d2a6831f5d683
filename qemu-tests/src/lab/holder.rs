//! What runs inside the namespace, as the first process of its own process namespace: when it ends, the kernel kills
//! everything else there. It makes the network, and then makes sockets for whoever holds the other end of its standard
//! input, until that end is closed, which is what happens when a test process dies.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socket_with,
};

use super::network::network;

/// Which socket is asked for, by one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp4 = b't' as isize,
    Tcp6 = b'T' as isize,
    Udp4 = b'u' as isize,
    Udp6 = b'U' as isize,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        [Kind::Tcp4, Kind::Tcp6, Kind::Udp4, Kind::Udp6].into_iter().find(|kind| kind.byte() == byte)
    }

    pub(super) fn byte(self) -> u8 {
        self as u8
    }

    fn socket(self) -> io::Result<OwnedFd> {
        let family = if matches!(self, Kind::Tcp4 | Kind::Udp4) { AddressFamily::INET } else { AddressFamily::INET6 };
        let kind = if matches!(self, Kind::Tcp4 | Kind::Tcp6) { SocketType::STREAM } else { SocketType::DGRAM };
        Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
    }
}

/// The longest message.
const MOST: usize = 4096;

/// What the first process of the namespace does, until the other end of its standard input is closed.
pub fn hold() -> io::Result<()> {
    let stdin = io::stdin();
    let channel = stdin.as_fd();
    let made = make_network();
    answer(channel, made.as_ref().map(|()| None))?;
    loop {
        let (text, _) = receive(channel)?;
        match text.first() {
            None => return Ok(()),
            Some(byte) => {
                let unknown = || io::Error::other("an unknown request");
                let socket = Kind::of(*byte).ok_or_else(unknown).and_then(Kind::socket);
                answer(channel, socket.as_ref().map(Some))?;
            }
        }
    }
}

fn make_network() -> io::Result<()> {
    // The names begin with the namespace's own: whoever writes is in it.
    for (name, value) in [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        // Servers of this lab need no privilege for their ports.
        ("ipv4/ip_unprivileged_port_start", "0"),
    ] {
        let path = format!("/proc/sys/net/{name}");
        std::fs::write(&path, value).map_err(|error| io::Error::other(format!("{path}: {error}")))?;
    }
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(network().as_bytes())?;
    }
    let output = ip.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("ip: {said}"))) }
}

fn answer(channel: BorrowedFd<'_>, made: Result<Option<&OwnedFd>, &io::Error>) -> io::Result<()> {
    match made {
        Ok(None) => send(channel, b"+", &[]),
        Ok(Some(socket)) => send(channel, b"+", &[socket.as_fd()]),
        Err(error) => send(channel, format!("-{error}").as_bytes(), &[]),
    }
}

/// Sends a message, with open files in it.
pub(super) fn send(channel: BorrowedFd<'_>, text: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(files));
    }
    sendmsg(channel, &[IoSlice::new(text)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives a message and the open file in it. An empty one is the end.
pub(super) fn receive(channel: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut text = [0; MOST];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let count = recvmsg(channel, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags)?.bytes;
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    Ok((text[..count].to_vec(), file))
}
