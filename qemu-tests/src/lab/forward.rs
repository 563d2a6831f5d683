//! Forwards TCP connections from one network into the other, or within the lab's.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Namespace;
use super::accepting::Accepting;
use crate::Result;

/// How long the other side may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Connections that come to a listener go to an address of the lab, until this is dropped.
#[derive(Debug)]
pub struct Forward {
    _accepting: Accepting,
}

impl Forward {
    /// Forwards what comes to `listener` to `target`.
    pub fn start(listener: TcpListener, namespace: &Namespace, target: SocketAddr) -> Result<Forward> {
        // The namespace ends when its owner lets it go, not when the last connection does.
        let namespace = namespace.downgrade();
        let accepting = Accepting::start(listener, move |from| {
            let Some(namespace) = namespace.upgrade() else { return };
            let Ok(Ok(to)) = namespace.connect(target, CONNECT) else { return };
            // A connection that breaks is for its two ends to see.
            let _ = join(from, to);
        })?;
        Ok(Forward { _accepting: accepting })
    }
}

/// Copies both ways until both are at their end.
pub(super) fn join(from: TcpStream, to: TcpStream) -> io::Result<()> {
    let (back_from, back_to) = (to.try_clone()?, from.try_clone()?);
    std::thread::spawn(move || copy(from, to));
    std::thread::spawn(move || copy(back_from, back_to));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
