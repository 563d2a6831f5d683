//! The hardware watchdog (`include/uapi/linux/watchdog.h`).

use super::check;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// `_IOWR('W', 6, int)`
const WDIOC_SETTIMEOUT: u64 = 0xc004_5706;

/// An open watchdog: the machine resets when it is not petted. It is never disarmed, so that a
/// shutdown that hangs ends too.
#[derive(Debug)]
pub struct Watchdog(File);

impl Watchdog {
    /// Opens the machine's watchdog, which starts it; `None` where there is none. One that does not take the timeout runs
    /// with its own, and is petted all the same: the second value says why.
    pub fn open(path: &Path, timeout: Duration) -> io::Result<Option<(Self, io::Result<()>)>> {
        let file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut seconds = timeout.as_secs() as i32;
        // SAFETY: WDIOC_SETTIMEOUT reads and writes one int, which outlives the call.
        let set = check(unsafe { libc::ioctl(file.as_raw_fd(), WDIOC_SETTIMEOUT as _, &mut seconds) }.into());
        Ok(Some((Watchdog(file), set.map(drop))))
    }

    /// Says that PID 1 is alive. Any byte but `V`, which would disarm.
    pub fn pet(&mut self) {
        // A watchdog that cannot be petted resets the machine: nothing better could be done here.
        let _ = self.0.write_all(b"p");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_takes_no_timeout_is_petted_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("watchdog0");
        assert!(Watchdog::open(&path, Duration::from_secs(60)).expect("no error").is_none());
        std::fs::write(&path, b"").expect("a file, which has no timeout");
        let opened = Watchdog::open(&path, Duration::from_secs(60)).expect("opened");
        let (mut watchdog, timeout) = opened.expect("it is there");
        assert!(timeout.is_err());
        watchdog.pet();
        assert_eq!(std::fs::read(&path).expect("read"), b"p");
    }
}
