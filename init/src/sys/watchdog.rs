//! The hardware watchdog (`include/uapi/linux/watchdog.h`).

use super::check;
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// `_IOWR('W', 6, int)`
const WDIOC_SETTIMEOUT: u64 = 0xc004_5706;

/// An open watchdog: the machine resets when it is not petted. It is never disarmed, so that a
/// shutdown that hangs ends too.
#[derive(Debug)]
pub struct Watchdog(File);

impl Watchdog {
    /// Opens the machine's watchdog, which starts it; `None` where there is none.
    pub fn open(timeout: Duration) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().write(true).open("/dev/watchdog0") {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut seconds = timeout.as_secs() as i32;
        // SAFETY: WDIOC_SETTIMEOUT reads and writes one int, which outlives the call.
        check(unsafe { libc::ioctl(file.as_raw_fd(), WDIOC_SETTIMEOUT as _, &mut seconds) }.into())?;
        Ok(Some(Watchdog(file)))
    }

    /// Says that PID 1 is alive. Any byte but `V`, which would disarm.
    pub fn pet(&mut self) {
        // A watchdog that cannot be petted resets the machine: nothing better could be done here.
        let _ = self.0.write_all(b"p");
    }
}
