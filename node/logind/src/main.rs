//! `logind`: what kubelet's shutdown manager asks of systemd's logind. Started by PID 1, which starts it anew if it ends.

use orlop_logind::options::{self, Options};
use orlop_logind::order::Order;
use orlop_logind::server::{Server, bind};
use orlop_logind::{sandbox, sys};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("logind: {usage}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("logind: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<std::convert::Infallible> {
    let order = Order::handed()?;
    let notify = notify_socket()?;
    let listener = bind(&options.socket)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", options.socket.display())))?;
    let uid = sys::own_uid();
    sandbox::enter()?;
    if let Some(notify) = notify {
        notify.send(b"READY=1\n")?;
    }
    Server::new(listener, order, options.delay, uid).run()
}

/// Where PID 1 is told that the socket is there, `sd_notify(3)`; connected now, for later no path can be reached.
fn notify_socket() -> io::Result<Option<UnixDatagram>> {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(None) };
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(Some(socket))
}
