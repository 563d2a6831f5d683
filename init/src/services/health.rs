//! Health checks that never wait: a connection, fixed bytes, the first bytes of the answer.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrLike, UnixAddr, connect, socket};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// HTTP/2's connection preface and an empty SETTINGS frame (RFC 9113 §3.4, §6.5).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
/// More of an answer than this is not looked at.
const ANSWER_LIMIT: usize = 512;

/// Where a service answers.
#[derive(Debug, Clone, Copy)]
pub enum Endpoint {
    /// gRPC on a Unix socket: HTTP/2's preface is answered by a SETTINGS frame.
    Grpc(&'static str),
    /// `/healthz` on a port of 127.0.0.1.
    Healthz(u16),
}

/// What is known of an answer so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More must come.
    Pending,
    /// Well.
    Healthy,
    /// Not well, or not yet.
    Sick(String),
}

/// One check under way.
#[derive(Debug)]
pub struct Check {
    socket: File,
    endpoint: Endpoint,
    sent: bool,
    answer: Vec<u8>,
}

impl Check {
    /// Connects.
    pub fn start(endpoint: Endpoint) -> Result<Self, Errno> {
        let socket = match endpoint {
            Endpoint::Grpc(path) => connected(AddressFamily::Unix, &UnixAddr::new(path)?)?,
            Endpoint::Healthz(port) => connected(AddressFamily::Inet, &SockaddrIn::new(127, 0, 0, 1, port))?,
        };
        Ok(Check { socket, endpoint, sent: false, answer: Vec::new() })
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether it waits to send, not to receive.
    pub fn sends(&self) -> bool {
        !self.sent
    }

    /// Goes on as far as it can without waiting.
    pub fn advance(&mut self) -> Verdict {
        if !self.sent {
            let question = match self.endpoint {
                Endpoint::Grpc(_) => PREFACE,
                Endpoint::Healthz(_) => GET,
            };
            match self.socket.write(question) {
                Ok(count) if count == question.len() => self.sent = true,
                Ok(_) => return Verdict::Sick("the question was cut".to_owned()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Verdict::Pending,
                Err(error) => return Verdict::Sick(error.to_string()),
            }
        }
        self.receive()
    }

    fn receive(&mut self) -> Verdict {
        let mut buffer = [0u8; ANSWER_LIMIT];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Verdict::Sick("the connection was closed".to_owned()),
                Ok(count) => self.answer.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Verdict::Pending,
                Err(error) => return Verdict::Sick(error.to_string()),
            }
            let verdict = match self.endpoint {
                Endpoint::Grpc(_) => settings_frame(&self.answer),
                Endpoint::Healthz(_) => status_line(&self.answer),
            };
            if verdict != Verdict::Pending || self.answer.len() > ANSWER_LIMIT {
                return verdict;
            }
        }
    }
}

fn connected(family: AddressFamily, address: &dyn SockaddrLike) -> Result<File, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), address) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error),
    }
}

/// Whether an answer begins with a SETTINGS frame on stream 0 (RFC 9113 §6.5).
fn settings_frame(answer: &[u8]) -> Verdict {
    let Some(head) = answer.first_chunk::<9>() else { return Verdict::Pending };
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let (kind, flags) = (head[3], head[4]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    if kind == 4 && flags == 0 && stream == 0 && length.is_multiple_of(6) {
        Verdict::Healthy
    } else {
        Verdict::Sick(format!("answered by frame type {kind}, not by SETTINGS"))
    }
}

/// Whether an answer begins with `HTTP/1.x 200`.
fn status_line(answer: &[u8]) -> Verdict {
    let Some(end) = answer.windows(2).position(|pair| pair == b"\r\n") else {
        return if answer.len() > ANSWER_LIMIT / 2 { Verdict::Sick("no HTTP".to_owned()) } else { Verdict::Pending };
    };
    let line = String::from_utf8_lossy(&answer[..end]);
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("200")) => Verdict::Healthy,
        _ => Verdict::Sick(format!("answered `{}`", crate::report::one_line(&line))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What containerd 2.3 (grpc-go) answers first.
    const SETTINGS: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 64, 0];

    #[test]
    fn a_settings_frame_is_health() {
        assert_eq!(settings_frame(SETTINGS), Verdict::Healthy);
        for end in 0..9 {
            assert_eq!(settings_frame(&SETTINGS[..end]), Verdict::Pending);
        }
        assert!(matches!(settings_frame(&[0, 0, 8, 7, 0, 0, 0, 0, 0]), Verdict::Sick(_)));
        assert!(matches!(settings_frame(b"HTTP/1.1 400 Bad Request\r\n"), Verdict::Sick(_)));
    }

    #[test]
    fn a_status_of_200_is_health() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(status_line(answer), Verdict::Healthy);
        assert_eq!(status_line(&answer[..12]), Verdict::Pending);
        assert!(matches!(status_line(b"HTTP/1.1 500 Internal Server Error\r\n"), Verdict::Sick(_)));
        assert!(matches!(status_line(b"HTTP/2.0 200 OK\r\n"), Verdict::Sick(_)));
        assert!(matches!(status_line(&[b'x'; 400]), Verdict::Sick(_)));
    }

    proptest! {
        #[test]
        fn any_answer_has_a_verdict(answer: Vec<u8>) {
            let _ = settings_frame(&answer);
            let _ = status_line(&answer);
        }
    }
}
