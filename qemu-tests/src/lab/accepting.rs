//! A thread that takes connections, until it is told to stop.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Takes connections until it is dropped.
#[derive(Debug)]
pub(super) struct Accepting {
    listener: TcpListener,
    ended: Arc<AtomicBool>,
}

impl Accepting {
    /// Gives each connection to `each`, on a thread of its own.
    pub(super) fn start(listener: TcpListener, each: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<Accepting> {
        let failed = |error| Error::Lab(format!("a listener cannot be duplicated: {error}"));
        let ours = listener.try_clone().map_err(failed)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (end, each) = (Arc::clone(&ended), Arc::new(each));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), each) = (stream, Arc::clone(&each)) else { continue };
                // What is written goes out. Else the last piece of a TLS record waits for the acknowledgement of those before
                // it, which the other side holds back for 40 ms: an image was pulled at 370 kB/s.
                let _ = stream.set_nodelay(true);
                std::thread::spawn(move || each(stream));
            }
        });
        Ok(Accepting { listener: ours, ended })
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread: its listener takes nothing any more.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}
