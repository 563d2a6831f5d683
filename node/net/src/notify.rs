//! `sd_notify(3)`: PID 1 is told that the network is there.

use std::io;
use std::os::unix::net::UnixDatagram;

/// Says that the program is ready; without `NOTIFY_SOCKET` nobody wants to know.
pub fn ready() -> io::Result<()> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(b"READY=1\n", path).map(|_| ())
}
