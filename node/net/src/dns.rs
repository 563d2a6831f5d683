//! Names of time servers → addresses: a question to the name servers of the network (RFC 1035), and nothing else of DNS.
//! musl's resolver would do, but its parser is C, blocks, and reads a file.

use crate::bytes::Reader;
use crate::name;
use crate::time::{Millis, Tick};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

const PORT: u16 = 53;
/// Without EDNS an answer has no more.
const LARGEST: usize = 512;
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
/// Between questions for one name; then the next server is asked.
const WAIT: Millis = Millis::seconds(2);
/// Waits after so many questions double, up to this.
const LONGEST: Millis = Millis::seconds(64);
/// More addresses of a name than this are left out.
const MANY: usize = 8;

/// A question for the addresses of one family.
pub fn question(id: u16, name: &str, v6: bool) -> Vec<u8> {
    let mut packet = Vec::new();
    // Recursion desired; one question.
    for word in [id, 0x0100, 1, 0, 0, 0] {
        packet.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(label.len().min(63) as u8);
        packet.extend_from_slice(&label.as_bytes()[..label.len().min(63)]);
    }
    packet.push(0);
    packet.extend_from_slice(&if v6 { AAAA } else { A }.to_be_bytes());
    packet.extend_from_slice(&INTERNET.to_be_bytes());
    packet
}

/// The addresses of an answer to a question; `None`: it is no answer to it.
pub fn answer(packet: &[u8], id: u16, asked: &str) -> Option<Vec<IpAddr>> {
    let mut reader = Reader(packet);
    let [its, flags, questions, answers] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if its != id || flags & 0x8000 == 0 || questions != 1 {
        return None;
    }
    let (name, at) = name::read(packet, 12)?;
    if !name.eq_ignore_ascii_case(asked) {
        return None;
    }
    let mut at = at + 4;
    let mut addresses = Vec::new();
    for _ in 0..answers {
        // What is cut, or not of its form, ends the list: what came before it counts.
        let Some((address, end)) = record(packet, at) else { break };
        addresses.extend(address.filter(|address| is_host(*address)));
        at = end;
    }
    addresses.truncate(MANY);
    Some(addresses)
}

/// A record's address, if it is one of an address, and where it ends.
fn record(packet: &[u8], at: usize) -> Option<(Option<IpAddr>, usize)> {
    let (_, at) = name::read(packet, at)?;
    let mut reader = Reader(packet.get(at..)?);
    let [kind, class] = [reader.u16()?, reader.u16()?];
    reader.u32()?;
    let value = reader.behind_u16()?;
    let address = match (kind, class) {
        (A, INTERNET) => <[u8; 4]>::try_from(value).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        (AAAA, INTERNET) => <[u8; 16]>::try_from(value).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    };
    Some((address, packet.len() - reader.0.len()))
}

/// An address that a server may have.
pub fn is_host(address: IpAddr) -> bool {
    !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && address != IpAddr::from(Ipv4Addr::BROADCAST)
}

/// One name that is looked up until it has an address.
#[derive(Debug)]
pub struct Lookup {
    name: String,
    socket: Option<UdpSocket>,
    id: u16,
    tries: u32,
    due: Millis,
}

impl Lookup {
    /// Begins at once.
    pub fn new(name: String, tick: Tick) -> Self {
        Lookup { name, socket: None, id: 0, tries: 0, due: tick.now }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When [`Lookup::timer`] is due.
    pub fn deadline(&self) -> Millis {
        self.due
    }

    /// It asks soon, as at first.
    pub fn hurry(&mut self, now: Millis) {
        self.tries = 0;
        self.due = self.due.min(now);
    }

    /// What to poll for.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(|socket| socket.as_fd())
    }

    /// Asks the next of the name servers, from a new port.
    pub fn timer(&mut self, servers: &[IpAddr], tick: Tick) -> io::Result<()> {
        if self.due > tick.now {
            return Ok(());
        }
        let wait = Millis(WAIT.0 << (self.tries / 3).min(8)).min(LONGEST);
        self.due = tick.about(wait);
        self.socket = None;
        let Some(server) = servers.get(self.tries as usize % servers.len().max(1)) else { return Ok(()) };
        self.tries = self.tries.wrapping_add(1);
        self.id = tick.random as u16;
        let any = if server.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        // Only this server's packets come in.
        socket.connect((*server, PORT))?;
        socket.send(&question(self.id, &self.name, false))?;
        socket.send(&question(self.id, &self.name, true))?;
        self.socket = Some(socket);
        Ok(())
    }

    /// The addresses, once an answer has some.
    pub fn receive(&mut self) -> Option<Vec<IpAddr>> {
        let mut packet = [0; LARGEST];
        loop {
            let length = self.socket.as_ref()?.recv(&mut packet).ok()?;
            if let Some(addresses) = answer(&packet[..length], self.id, &self.name).filter(|list| !list.is_empty()) {
                return Some(addresses);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer of a resolver: ntp.example is an alias of a.ntp.example, which has two addresses; one more is loopback.
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x04\x00\x00\x00\x00\x03ntp\x07example\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01a\xc0\x0c\
        \xc0\x29\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01\
        \xc0\x29\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x02\
        \xc0\x29\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01";

    #[test]
    fn an_answer_with_an_alias_is_read() {
        let addresses = answer(ANSWER, 0x1234, "NTP.example").expect("an answer");
        assert_eq!(addresses, [IpAddr::from([192, 0, 2, 1]), [192, 0, 2, 2].into()]);
        assert_eq!(answer(ANSWER, 0x1235, "ntp.example"), None, "another number");
        assert_eq!(answer(ANSWER, 0x1234, "ntp.exampel"), None, "another name");
        assert_eq!(answer(&question(7, "ntp.example", true), 7, "ntp.example"), None, "a question");
        for end in 0..ANSWER.len() {
            let _ = answer(&ANSWER[..end], 0x1234, "ntp.example");
        }
    }

    #[test]
    fn a_question_is_one_that_servers_know() {
        assert_eq!(
            question(0x0102, "ntp.example.", true),
            b"\x01\x02\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03ntp\x07example\x00\x00\x1c\x00\x01"
        );
    }

    proptest! {
        #[test]
        fn no_packet_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..ANSWER.len(), with: u8) {
            let _ = answer(&bytes, 0, "");
            let mut packet = ANSWER.to_vec();
            packet[at] = with;
            let _ = answer(&packet, 0x1234, "ntp.example");
        }
    }
}
