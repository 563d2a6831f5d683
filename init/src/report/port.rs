//! The virtio-serial port `orlop.report`: one JSON object a line, for who started the machine.

use nix::libc::O_NONBLOCK;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// The port's name as the machine's owner gave it.
const NAME: &str = "orlop.report";
/// Bytes that wait for a reader; a boot's whole report has about 4 KB.
const WAITING_LIMIT: usize = 128 * 1024;

/// The port, where there is one. Nobody may be reading: lines wait, and the oldest are dropped.
#[derive(Debug, Default)]
pub struct Port {
    file: Option<File>,
    /// Lines with their ends.
    waiting: VecDeque<String>,
    /// Bytes of all of them.
    bytes: usize,
    /// Bytes of the first one that are sent already: it is not dropped, or its reader would see two halves as one.
    sent: usize,
}

impl Port {
    /// Sends a line, or keeps it until the port is there and read.
    pub fn send(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.waiting.push_back(format!("{line}\n"));
        self.flush();
        let begun = usize::from(self.sent > 0);
        while self.bytes > WAITING_LIMIT
            && let Some(dropped) = self.waiting.remove(begun)
        {
            self.bytes -= dropped.len();
        }
    }

    /// Sends what waits, as far as somebody reads it.
    pub fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = find();
        }
        let Some(file) = &mut self.file else { return };
        while let Some(line) = self.waiting.front() {
            match file.write(&line.as_bytes()[self.sent..]) {
                Ok(count) if count > 0 => self.sent += count,
                _ => return,
            }
            if self.sent == line.len() {
                self.bytes -= line.len();
                self.sent = 0;
                self.waiting.pop_front();
            }
        }
    }

    /// Whether lines wait for a reader.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// Finds the port by its name.
fn find() -> Option<File> {
    let ports = std::fs::read_dir("/sys/class/virtio-ports").ok()?;
    let device = ports
        .flatten()
        .find(|port| std::fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim_end() == NAME))?;
    let path = std::path::Path::new("/dev").join(device.file_name());
    OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn with_nobody_reading_the_latest_lines_wait() {
        let mut port = Port::default();
        for number in 0..500 {
            port.send(&format!("{}{number}", "x".repeat(1000)));
            assert!(port.bytes <= WAITING_LIMIT);
        }
        assert!(port.waiting.back().is_some_and(|line| line.ends_with("x499\n")));
        assert_eq!(port.waiting.iter().map(String::len).sum::<usize>(), port.bytes);
        assert!(port.waits() && port.bytes > WAITING_LIMIT / 2);
    }

    /// A reader who comes late gets whole lines, the first of them from before the gap and the latest at the end.
    #[test]
    fn no_line_is_cut_by_those_that_are_dropped() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("one that does not wait");
        let mut port = Port { file: Some(OwnedFd::from(ours).into()), ..Port::default() };
        let line = |number: usize| format!("{number} {}", "x".repeat(1000));
        let count = 2000;
        (0..count).for_each(|number| port.send(&line(number)));
        assert!(port.waits());
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            theirs.read_to_string(&mut text).expect("text");
            text
        });
        while port.waits() {
            port.flush();
            std::thread::yield_now();
        }
        drop(port);
        let text = reader.join().expect("all of it");
        let numbers: Vec<usize> = text
            .lines()
            .map(|found| {
                let number = found.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
                assert_eq!(found, line(number));
                number
            })
            .collect();
        assert_eq!((numbers.first(), numbers.last()), (Some(&0), Some(&(count - 1))));
        assert!(numbers.len() < count && numbers.is_sorted());
    }
}
