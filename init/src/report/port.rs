//! The virtio-serial port `orlop.report`: one JSON object a line, for who started the machine.

use nix::libc::O_NONBLOCK;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// The port's name as the machine's owner gave it.
const NAME: &str = "orlop.report";
/// Bytes that wait for a reader; a boot's whole report has about 4 KB.
const WAITING_LIMIT: usize = 64 * 1024;

/// The port, where there is one. Nobody may be reading: lines wait, and the oldest are dropped.
#[derive(Debug, Default)]
pub struct Port {
    file: Option<File>,
    waiting: VecDeque<u8>,
}

impl Port {
    /// Sends a line, or keeps it until the port is there and read.
    pub fn send(&mut self, line: &str) {
        if self.waiting.len() + line.len() < WAITING_LIMIT {
            self.waiting.extend(line.as_bytes());
            self.waiting.push_back(b'\n');
        }
        self.flush();
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
        while !self.waiting.is_empty() {
            let (head, _) = self.waiting.as_slices();
            match file.write(head) {
                Ok(count) if count > 0 => drop(self.waiting.drain(..count)),
                _ => return,
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
