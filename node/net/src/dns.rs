//! Names of time servers → addresses: a question to the name servers of the network (RFC 1035), and nothing else of DNS.
//! musl's resolver would do, but its parser is C, blocks, and reads a file.

use crate::address::is_host;
use crate::bytes::Reader;
use crate::name;
use crate::reads::Reads;
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
/// More addresses of a name than this, of a family, are left out.
const MANY: usize = 8;
/// One family's addresses are there: for the other family's answer, which mostly comes at once.
const OTHER: Millis = Millis(500);

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

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question was for addresses of IPv6.
    pub v6: bool,
    /// Addresses of the family that was asked for.
    pub addresses: Vec<IpAddr>,
}

/// Reads an answer to a question; `None`: it is no answer to it.
pub fn answer(packet: &[u8], id: u16, asked: &str) -> Option<Answer> {
    let mut reader = Reader(packet);
    let [its, flags, questions, answers] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    if its != id || flags & 0x8000 == 0 || questions != 1 {
        return None;
    }
    let (name, at) = name::read(packet, 12)?;
    if !name.eq_ignore_ascii_case(asked) {
        return None;
    }
    let v6 = match Reader(packet.get(at..)?).u16()? {
        A => false,
        AAAA => true,
        _ => return None,
    };
    let mut at = at + 4;
    let mut addresses = Vec::new();
    for _ in 0..answers {
        // What is cut, or not of its form, ends the list: what came before it counts.
        let Some((address, end)) = record(packet, at) else { break };
        addresses.extend(address.filter(|address| is_host(*address) && address.is_ipv6() == v6));
        at = end;
    }
    addresses.truncate(MANY);
    Some(Answer { v6, addresses })
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

/// One name that is looked up until it has an address.
#[derive(Debug)]
pub struct Lookup {
    name: String,
    socket: Option<UdpSocket>,
    id: u16,
    tries: u32,
    due: Millis,
    /// The questions that were answered: for IPv4 and for IPv6.
    answered: [bool; 2],
    found: Vec<IpAddr>,
    /// Something is found: until when the other answer is waited for.
    until: Option<Millis>,
}

impl Lookup {
    /// Begins at once.
    pub fn new(name: String, tick: Tick) -> Self {
        Lookup {
            name,
            socket: None,
            id: 0,
            tries: 0,
            due: tick.now,
            answered: [false; 2],
            found: Vec::new(),
            until: None,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When [`Lookup::receive`] or [`Lookup::timer`] is due.
    pub fn deadline(&self) -> Millis {
        self.until.unwrap_or(self.due)
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
        if self.due > tick.now || self.until.is_some() {
            return Ok(());
        }
        let wait = Millis(WAIT.0 << (self.tries / 3).min(8)).min(LONGEST);
        self.due = tick.about(wait);
        (self.socket, self.answered) = (None, [false; 2]);
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

    /// The addresses, IPv4's first, once both answers are there, or one that has some and a moment has passed: of which
    /// family an address can be used is not known here.
    pub fn receive(&mut self, now: Millis) -> Option<Vec<IpAddr>> {
        let (mut reads, mut packet) = (Reads::default(), [0; LARGEST]);
        while let Some(socket) = &self.socket {
            match reads.one(|| socket.recv(&mut packet).map(Some)) {
                Ok(Some(length)) => self.take(&packet[..length], now),
                Ok(None) => break,
                // The next server is asked from another one.
                Err(_) => self.socket = None,
            }
        }
        self.done(now)
    }

    fn take(&mut self, packet: &[u8], now: Millis) {
        let Some(answer) = answer(packet, self.id, &self.name) else { return };
        // The same answer for a second time adds nothing.
        if std::mem::replace(&mut self.answered[usize::from(answer.v6)], true) {
            return;
        }
        self.found.extend(answer.addresses);
        if !self.found.is_empty() {
            self.until.get_or_insert(now + OTHER);
        }
    }

    fn done(&mut self, now: Millis) -> Option<Vec<IpAddr>> {
        let over = self.answered == [true; 2] || self.until.is_some_and(|until| until <= now);
        if self.found.is_empty() || !over {
            return None;
        }
        self.until = None;
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(IpAddr::is_ipv6);
        Some(found)
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
        let read = answer(ANSWER, 0x1234, "NTP.example").expect("an answer");
        assert_eq!(read.addresses, [IpAddr::from([192, 0, 2, 1]), [192, 0, 2, 2].into()]);
        assert!(!read.v6);
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

    /// An answer to the question for IPv6.
    fn answer6(addresses: &[Ipv6Addr]) -> Vec<u8> {
        let mut packet = question(0x1234, "ntp.example", true);
        packet[2] |= 0x80;
        packet[7] = addresses.len() as u8;
        for address in addresses {
            packet.extend_from_slice(b"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10");
            packet.extend_from_slice(&address.octets());
        }
        packet
    }

    #[test]
    fn an_address_of_ipv4_in_the_form_of_ipv6_is_left_out() {
        let six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let packet =
            answer6(&[Ipv4Addr::LOCALHOST.to_ipv6_mapped(), six, Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped()]);
        let read = answer(&packet, 0x1234, "ntp.example").expect("an answer");
        assert_eq!((read.v6, read.addresses), (true, vec![six.into()]));
    }

    #[test]
    fn both_families_are_waited_for_but_not_for_long() {
        let tick = Tick { now: Millis::seconds(10), random: 7 };
        let six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let four = [IpAddr::from([192, 0, 2, 1]), [192, 0, 2, 2].into()];
        let lookup = || Lookup { id: 0x1234, ..Lookup::new("ntp.example".into(), tick) };
        let mut both = lookup();
        both.take(&answer6(&[six]), tick.now);
        both.take(&answer6(&[six]), tick.now);
        assert_eq!(both.done(tick.now), None, "the other answer is to come");
        assert_eq!(both.deadline(), tick.now + OTHER);
        both.take(ANSWER, tick.now + Millis(20));
        assert_eq!(
            both.done(tick.now + Millis(20)),
            Some(vec![four[0], four[1], six.into()]),
            "IPv4's first, each once"
        );

        let mut one = lookup();
        one.take(&answer6(&[six]), tick.now);
        one.timer(&[], Tick { now: tick.now + OTHER, ..tick }).expect("nothing is asked meanwhile");
        assert_eq!(one.done(tick.now + OTHER), Some(vec![six.into()]));

        let mut none = lookup();
        none.take(&answer6(&[]), tick.now);
        assert_eq!((none.done(tick.now), none.deadline()), (None, tick.now), "asked anew at its time");
        none.take(ANSWER, tick.now);
        assert_eq!(none.done(tick.now), Some(four.into()), "the name has no address of IPv6");
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
