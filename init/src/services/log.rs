//! A service's log: line by line, rotated, and honest about what a full disk lost.

use std::collections::VecDeque;
use std::io;

/// A file of this size is put aside.
pub const FILE_LIMIT: u64 = 10 * 1024 * 1024;
/// Lines of this many bytes may wait for a disk that takes nothing.
const WAITING_LIMIT: usize = 64 * 1024;
/// Lines that are kept for the consoles, and how much of each.
const TAIL_LINES: usize = 20;
const TAIL_WIDTH: usize = 400;

/// Where a log's bytes go.
pub trait Store {
    /// Appends as much as there is room for; how much that was.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Size of the current file.
    fn size(&self) -> u64;
    /// Puts the current file aside, drops the oldest, and starts a new one.
    fn rotate(&mut self) -> io::Result<()>;
}

/// What happened to a log that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be written; lines wait, then are dropped.
    Stuck(String),
    /// It is written again; so many lines were dropped.
    Recovered(u64),
}

/// A log.
#[derive(Debug)]
pub struct Log<S> {
    store: S,
    waiting: VecDeque<u8>,
    dropped: u64,
    stuck: bool,
    tail: VecDeque<String>,
}

impl<S: Store> Log<S> {
    /// A log that writes to a store.
    pub fn new(store: S) -> Self {
        Log { store, waiting: VecDeque::new(), dropped: 0, stuck: false, tail: VecDeque::new() }
    }

    /// Writes a line, or keeps it for later, or counts it as dropped.
    pub fn line(&mut self, line: &[u8]) -> Option<Trouble> {
        self.remember(line);
        if self.waiting.len() + line.len() >= WAITING_LIMIT || self.dropped > 0 {
            self.dropped += 1;
        } else {
            self.waiting.extend(line);
            self.waiting.push_back(b'\n');
        }
        self.flush()
    }

    /// Tries to write what waits.
    pub fn flush(&mut self) -> Option<Trouble> {
        match self.write_waiting() {
            Ok(()) if self.stuck => {
                self.stuck = false;
                let dropped = std::mem::take(&mut self.dropped);
                if dropped > 0 {
                    let line = format!("orlop: {dropped} lines were lost here: the disk took none\n");
                    self.waiting.extend(line.as_bytes());
                }
                Some(Trouble::Recovered(dropped))
            }
            Ok(()) => None,
            Err(_) if self.stuck => None,
            Err(error) => {
                self.stuck = true;
                Some(Trouble::Stuck(error.to_string()))
            }
        }
    }

    /// Whether lines wait for the disk.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The last lines, oldest first.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }

    fn remember(&mut self, line: &[u8]) {
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(String::from_utf8_lossy(&line[..line.len().min(TAIL_WIDTH)]).into_owned());
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            // Only between lines, so that a line is never split over two files.
            if self.store.size() >= FILE_LIMIT {
                self.store.rotate()?;
            }
            while !self.write_some()? {}
        }
        Ok(())
    }

    /// Writes up to the end of the first line that waits; whether it got there. A disk that fills up
    /// takes a part of a line: the rest follows when there is room again.
    fn write_some(&mut self) -> io::Result<bool> {
        let (head, _) = self.waiting.as_slices();
        let end = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1);
        let wrote = self.store.append(&head[..end])?;
        if wrote == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let ended = head[wrote - 1] == b'\n';
        self.waiting.drain(..wrote);
        Ok(ended || self.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room.
    #[derive(Debug, Default)]
    struct Disk {
        room: usize,
        files: Vec<Vec<u8>>,
    }

    impl Disk {
        fn with_room(room: usize) -> Self {
            Disk { room, files: vec![Vec::new()] }
        }
    }

    impl Store for Disk {
        fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.files.last_mut().expect("one file").extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn size(&self) -> u64 {
            self.files.last().map_or(0, |file| file.len() as u64)
        }

        fn rotate(&mut self) -> io::Result<()> {
            self.files.push(Vec::new());
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_no_line_silently() {
        let mut log = Log::new(Disk::with_room(10));
        assert_eq!(log.line(b"12345"), None);
        assert!(matches!(log.line(b"67890"), Some(Trouble::Stuck(_))));
        let lines = 40_000;
        for _ in 0..lines {
            assert_eq!(log.line(b"xx"), None);
        }
        log.store.room = usize::MAX;
        let Some(Trouble::Recovered(dropped)) = log.flush() else { panic!("not recovered") };
        log.line(b"after");
        let text = String::from_utf8(log.store.files.concat()).expect("text");
        assert!(text.starts_with("12345\n67890\nxx\n"));
        assert!(text.ends_with(&format!("orlop: {dropped} lines were lost here: the disk took none\nafter\n")));
        assert_eq!(text.matches("xx\n").count() as u64 + dropped, lines);
    }

    #[test]
    fn lines_that_only_waited_are_not_called_lost() {
        let mut log = Log::new(Disk::default());
        log.store.files.push(Vec::new());
        assert!(matches!(log.line(b"one"), Some(Trouble::Stuck(_))));
        log.store.room = usize::MAX;
        assert_eq!(log.line(b"two"), Some(Trouble::Recovered(0)));
        assert_eq!(log.store.files.concat(), b"one\ntwo\n");
    }

    #[test]
    fn rotation_splits_no_line() {
        let mut log = Log::new(Disk::with_room(usize::MAX));
        let line = [b'y'; 1000];
        for _ in 0..(2 * FILE_LIMIT / 1000) {
            log.line(&line);
        }
        assert!(log.store.files.len() >= 2);
        assert!(log.store.files.iter().all(|file| file.len() as u64 <= FILE_LIMIT + 1001 && file.len() % 1001 == 0));
    }

    #[test]
    fn the_tail_is_short() {
        let mut log = Log::new(Disk::with_room(usize::MAX));
        for number in 0..100 {
            log.line(format!("{number} {}", "z".repeat(1000)).as_bytes());
        }
        let tail: Vec<&str> = log.tail().collect();
        assert_eq!(tail.len(), TAIL_LINES);
        assert!(tail[0].starts_with("80 ") && tail[0].len() == TAIL_WIDTH);
    }
}
