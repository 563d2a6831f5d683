//! Lines out of a pipe.

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A longer line is cut into pieces: a program that never ends its line must not fill memory.
const LONGEST: usize = 16 * 1024;

/// Cuts bytes into lines.
#[derive(Debug, Default)]
pub struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Takes bytes in; every line that ends in them goes to `each`, without its end.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut dyn FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(&bytes[..end]);
            each(&self.partial);
            self.partial.clear();
            bytes = &bytes[end + 1..];
        }
        for piece in bytes.chunks(LONGEST) {
            self.partial.extend_from_slice(piece);
            if self.partial.len() >= LONGEST {
                self.rest(each);
            }
        }
    }

    /// Gives out a line that was never ended.
    pub fn rest(&mut self, each: &mut dyn FnMut(&[u8])) {
        if !self.partial.is_empty() {
            each(&self.partial);
            self.partial.clear();
        }
    }
}

/// The end of a pipe that PID 1 reads, without ever waiting for it.
#[derive(Debug)]
pub struct LinePipe {
    read: File,
    splitter: Splitter,
}

impl LinePipe {
    /// A pipe: its reader, and the end for a program.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((LinePipe { read: read.into(), splitter: Splitter::default() }, write))
    }

    /// What to poll for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Gives out the lines that are there; false when no writer is left.
    pub fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> bool {
        let mut buffer = [0u8; 8192];
        // Bounded, so that a service that writes without end cannot keep PID 1 from its other work.
        for _ in 0..16 {
            match self.read.read(&mut buffer) {
                Ok(0) => {
                    self.splitter.rest(each);
                    return false;
                }
                Ok(count) => self.splitter.push(&buffer[..count], each),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut splitter = Splitter::default();
        for chunk in chunks {
            splitter.push(chunk, &mut |line| found.push(line.to_vec()));
        }
        splitter.rest(&mut |line| found.push(line.to_vec()));
        found
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        assert_eq!(lines(&[b"ab", b"c\n\nd"]), [b"abc".to_vec(), b"".to_vec(), b"d".to_vec()]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let endless = vec![b'x'; 5 * LONGEST + 3];
        let found = lines(&[&endless]);
        assert!(found.iter().all(|line| line.len() <= 2 * LONGEST));
        assert_eq!(found.concat(), endless);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "[ab\n]{0,60}", at in 0_usize..60) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(lines(&[head, tail]), lines(&[bytes]));
        }
    }
}
