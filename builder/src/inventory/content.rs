//! What is kept of a file while it streams by: its hashes, and of what is looked into, all of it.

use std::io::{self, Write};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::formats::elf;

/// Files larger than this are hashed, and not looked into.
const MOST: usize = 512 << 20;
/// As many bytes as tell an ELF file from others.
const HEAD: usize = 4;

/// A file that streams by.
pub struct Content {
    sha1: Sha1,
    sha256: Sha256,
    whole: bool,
    most: usize,
    /// The first bytes, which are there too when the file is let go.
    head: Vec<u8>,
    /// Bytes so far.
    pub size: u64,
    /// The file, when it is a program or was asked for, and not too large.
    pub bytes: Vec<u8>,
}

impl Content {
    /// Keeps programs; with `whole` any file.
    pub fn new(whole: bool) -> Content {
        let (sha1, sha256) = (Sha1::new(), Sha256::new());
        Content { sha1, sha256, whole, most: MOST, head: Vec::new(), size: 0, bytes: Vec::new() }
    }

    /// Keeps programs of so many bytes at most.
    #[cfg(test)]
    pub fn at_most(most: usize) -> Content {
        Content { most, ..Content::new(false) }
    }

    /// Of bytes that are there already.
    pub fn of(bytes: &[u8]) -> Content {
        let mut content = Content::new(false);
        content.add(bytes);
        content
    }

    /// Whether all of it is kept.
    pub fn is_kept(&self) -> bool {
        self.size == self.bytes.len() as u64
    }

    /// Whether it is an ELF file. One that is too large to be kept is none the less.
    pub fn is_program(&self) -> bool {
        elf::is_elf(&self.head)
    }

    /// SHA-1 and SHA-256, hex.
    pub fn hashes(&self) -> (String, String) {
        (hex::encode(self.sha1.clone().finalize()), hex::encode(self.sha256.clone().finalize()))
    }

    fn add(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        if self.is_kept() && self.bytes.len() + bytes.len() <= self.most {
            self.bytes.extend_from_slice(bytes);
            // What cannot become a program any more is let go, and never is whole again.
            if !self.whole && self.head.len() == HEAD && !self.is_program() {
                self.bytes = Vec::new();
            }
        } else {
            self.bytes = Vec::new();
        }
        self.size += bytes.len() as u64;
    }
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(parts: &[&[u8]], whole: bool) -> Content {
        let mut content = Content::new(whole);
        parts.iter().for_each(|part| content.write_all(part).unwrap());
        content
    }

    #[test]
    fn programs_are_kept_and_all_is_hashed() {
        let program = fed(&[b"\x7f", b"ELF", b"rest"], false);
        assert_eq!((program.size, &*program.bytes, program.is_kept()), (8, &b"\x7fELFrest"[..], true));
        assert!(program.is_program());
        let text = fed(&[b"ab", b"c\n", b"\x7fELF"], false);
        assert_eq!((text.size, text.bytes.len(), text.is_kept(), text.is_program()), (8, 0, false, false));
        assert_eq!(fed(&[b"ab", b"c\n"], true).bytes, b"abc\n");
        // FIPS 180-4's own example.
        let (sha1, sha256) = fed(&[b"a", b"bc"], false).hashes();
        assert_eq!(sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Content::of(b"abc").hashes(), (sha1, sha256));
    }

    #[test]
    fn a_program_that_is_too_large_is_a_program_still() {
        let cases: [&[&[u8]]; 3] = [&[b"\x7fELF", b"more"], &[b"\x7fELF and more"], &[b"\x7f", b"ELF and", b"more"]];
        for parts in cases {
            let mut large = Content::at_most(7);
            parts.iter().for_each(|part| large.write_all(part).unwrap());
            assert_eq!((large.is_program(), large.is_kept(), large.bytes.len()), (true, false, 0), "{parts:?}");
        }
        let mut fits = Content::at_most(8);
        fits.write_all(b"\x7fELFmore").unwrap();
        assert!(fits.is_program() && fits.is_kept());
    }
}
