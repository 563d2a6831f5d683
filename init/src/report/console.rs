//! Every console of the machine, and the kernel's log.

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

/// How long one console may hold up PID 1 before the rest of a line is dropped for it.
const PATIENCE_MS: u16 = 1000;

/// Where lines for people go.
#[derive(Debug, Default)]
pub struct Consoles {
    terminals: Vec<File>,
    kernel_log: Option<File>,
}

impl Consoles {
    /// Opens each active console (or `/dev/console` where the kernel does not tell them) and `/dev/kmsg`.
    pub fn open() -> Self {
        let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let mut terminals: Vec<File> =
            active.split_whitespace().filter_map(|name| writable(&format!("/dev/{name}"))).collect();
        if terminals.is_empty() {
            terminals.extend(writable("/dev/console"));
        }
        Consoles { terminals, kernel_log: OpenOptions::new().write(true).open("/dev/kmsg").ok() }
    }

    /// Writes one line everywhere.
    pub fn say(&mut self, line: &str) {
        for terminal in &mut self.terminals {
            write_patiently(terminal, format!("{line}\r\n").as_bytes());
        }
        if let Some(log) = &mut self.kernel_log {
            // Level 7: kept in the log, and not printed on the consoles a second time.
            let _ = log.write_all(format!("<7>{line}\n").as_bytes());
        }
    }
}

fn writable(path: &str) -> Option<File> {
    OpenOptions::new().write(true).custom_flags(O_NOCTTY | O_NONBLOCK).open(path).ok()
}

/// Writes all of it, unless the console takes nothing for a second: a serial line that nobody
/// drains must not stop the boot.
fn write_patiently(terminal: &mut File, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match terminal.write(bytes) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(terminal.as_fd(), PollFlags::POLLOUT)];
                if !matches!(poll(&mut ready, PollTimeout::from(PATIENCE_MS)), Ok(count) if count > 0) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
