//! Every console of the machine, and the kernel's log.

use nix::libc::{O_NOCTTY, O_NONBLOCK};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// How long a line may wait for a console before the rest of it is dropped there.
const PATIENCE: Duration = Duration::from_secs(1);
/// So long a console must have taken each line before one waits for it again. Lines come in bursts of hundreds, and PID 1
/// pets no watchdog between them: a console that takes nothing may hold it up for one second in ten.
const RECOVERY: Duration = Duration::from_secs(10);

/// Where lines for people go.
#[derive(Debug, Default)]
pub struct Consoles {
    terminals: Vec<Terminal>,
    kernel_log: Option<File>,
}

/// One console, and how well it takes what it is given.
#[derive(Debug)]
struct Terminal {
    file: File,
    /// When it last dropped something, until it has recovered.
    stalled: Option<Instant>,
    /// Whether the last line that it shows misses its end.
    cut: bool,
}

impl Consoles {
    /// Opens each active console (or `/dev/console` where the kernel does not tell them) and `/dev/kmsg`.
    pub fn open() -> Self {
        let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let mut terminals: Vec<Terminal> =
            active.split_whitespace().filter_map(|name| writable(&format!("/dev/{name}"))).collect();
        if terminals.is_empty() {
            terminals.extend(writable("/dev/console"));
        }
        Consoles { terminals, kernel_log: OpenOptions::new().write(true).open("/dev/kmsg").ok() }
    }

    /// Writes one line everywhere.
    pub fn say(&mut self, line: &str) {
        for terminal in &mut self.terminals {
            terminal.say(line, Instant::now());
        }
        if let Some(log) = &mut self.kernel_log {
            // Level 7: kept in the log, and not printed on the consoles a second time.
            let _ = log.write_all(format!("<7>{line}\n").as_bytes());
        }
    }
}

impl Terminal {
    fn new(file: File) -> Self {
        Terminal { file, stalled: None, cut: false }
    }

    /// How long the next line may wait.
    fn patience(&self) -> Duration {
        if self.stalled.is_some() { Duration::ZERO } else { PATIENCE }
    }

    /// Writes one line, as far as the console takes it.
    fn say(&mut self, line: &str, now: Instant) {
        let before = if self.cut { "\r\n" } else { "" };
        let text = format!("{before}{line}\r\n");
        let patience = self.patience();
        let count = write_within(&mut self.file, text.as_bytes(), patience);
        let whole = count == text.len();
        if count > 0 {
            self.cut = !whole;
        }
        self.stalled = match whole {
            false => Some(now),
            true => self.stalled.filter(|at| now.saturating_duration_since(*at) < RECOVERY),
        };
    }
}

fn writable(path: &str) -> Option<Terminal> {
    OpenOptions::new().write(true).custom_flags(O_NOCTTY | O_NONBLOCK).open(path).ok().map(Terminal::new)
}

/// Writes what the console takes within the time; how many bytes. A serial line that nobody drains, or a screen that
/// somebody has stopped, must not stop the boot.
fn write_within(terminal: &mut File, bytes: &[u8], patience: Duration) -> usize {
    let until = Instant::now() + patience;
    let mut count = 0;
    while count < bytes.len() {
        match terminal.write(&bytes[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // Looked at here as well: one that says that it is ready, and takes nothing, must not keep us for ever.
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                let mut ready = [PollFd::new(terminal.as_fd(), PollFlags::POLLOUT)];
                if !matches!(poll(&mut ready, timeout), Ok(number) if number > 0) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    /// A console, and its other end.
    fn pair() -> (Terminal, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("one that does not wait");
        theirs.set_nonblocking(true).expect("one that does not wait");
        (Terminal::new(File::from(OwnedFd::from(ours))), theirs)
    }

    /// What lies between the two ends now.
    fn drained(theirs: &mut UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Ends with an error where no more is there, and leaves what it read.
        let _ = theirs.read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn a_console_that_is_stopped_costs_one_wait_until_it_has_gone_on_for_a_while() {
        let (mut terminal, mut theirs) = pair();
        while matches!(terminal.file.write(&[b'x'; 4096]), Ok(count) if count > 0) {}
        let start = Instant::now();
        terminal.say("first", start);
        assert!(start.elapsed() >= PATIENCE / 2, "it is waited for once");
        assert_eq!(terminal.patience(), Duration::ZERO);
        let begun = Instant::now();
        (0..500).for_each(|_| terminal.say("more", start));
        assert!(begun.elapsed() < PATIENCE * 100, "500 lines took {:?}", begun.elapsed());
        assert!(drained(&mut theirs).iter().all(|byte| *byte == b'x'));
        terminal.say("again", start);
        assert_eq!(terminal.patience(), Duration::ZERO, "it may be slow, and full again soon");
        terminal.say("later", start + RECOVERY);
        assert_eq!(terminal.patience(), PATIENCE);
        assert_eq!(drained(&mut theirs), b"again\r\nlater\r\n");
    }

    #[test]
    fn no_line_goes_on_where_another_was_cut() {
        let (mut terminal, mut theirs) = pair();
        let now = Instant::now();
        terminal.stalled = Some(now);
        let long = "x".repeat(64 << 20);
        terminal.say(&long, now);
        let shown = drained(&mut theirs);
        assert!(!shown.is_empty() && shown.len() < long.len());
        terminal.say("next", now);
        terminal.say("last", now);
        assert_eq!(drained(&mut theirs), b"\r\nnext\r\nlast\r\n");
    }
}
