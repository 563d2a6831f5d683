//! The virtio-serial port, line by line.
//!
//! It is opened non-blocking, because nobody may be on the other side yet: a blocking open or write would hang there
//! in the kernel, where SIGTERM does not reach.

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// How often is looked whether somebody is on the other side.
const PAUSE: Duration = Duration::from_millis(100);
/// A longer line is no command.
const LONGEST_LINE: usize = 1 << 20;

/// One open port.
pub struct Port {
    file: File,
    read: Vec<u8>,
}

impl Port {
    /// Finds the port by the name that the machine was given.
    pub fn open(name: &str) -> io::Result<Self> {
        let device = find(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(&device)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", device.display())))?;
        Ok(Self { file, read: Vec::new() })
    }

    /// Writes the value and a line feed, whole; waits as long as nobody reads.
    pub fn write_line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        let line = format!("{value}\n");
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(n) => rest = &rest[n..],
                Err(error) if is_for_later(&error) => self.wait(PollFlags::POLLOUT)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next line, without its line feed.
    pub fn read_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.read, rest);
                line.pop();
                return Ok(line);
            }
            if self.read.len() > LONGEST_LINE {
                self.read.clear();
            }
            let mut part = [0; 4096];
            match self.file.read(&mut part) {
                Ok(n) if n > 0 => self.read.extend_from_slice(&part[..n]),
                // Zero bytes: nobody is on the other side.
                Ok(_) => self.wait(PollFlags::POLLIN)?,
                Err(error) if is_for_later(&error) => self.wait(PollFlags::POLLIN)?,
                Err(error) => return Err(error),
            }
        }
    }

    fn wait(&self, what: PollFlags) -> io::Result<()> {
        let mut polled = [PollFd::new(self.file.as_fd(), what)];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // A port without a peer is hung up, and poll says so at once, for ever.
        if polled[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn find(name: &str) -> io::Result<PathBuf> {
    for entry in fs::read_dir("/sys/class/virtio-ports")? {
        let entry = entry?;
        let named = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if named.trim_end() == name {
            return Ok(PathBuf::from("/dev").join(entry.file_name()));
        }
    }
    Err(io::Error::new(ErrorKind::NotFound, format!("no virtio-serial port is named {name}")))
}
