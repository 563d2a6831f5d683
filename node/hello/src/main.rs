//! The static pod of the standalone image: a line a second on stdout, an answer to whoever asks on port 8080, and a
//! last line when it is asked to end. What a test sees of it (logs, network, SIGTERM) shows that pods work.

mod http;

use nix::sys::signal::{SigSet, Signal};
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Where it listens: all addresses of the pod's network.
const ADDRESS: &str = "0.0.0.0:8080";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut io::stderr(), &format!("hello: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Blocks the signals before there are threads, so that all of them inherit the mask and only this one sees them.
fn run() -> Result<(), String> {
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGTERM);
    ending.add(Signal::SIGINT);
    ending.thread_block().map_err(|error| format!("signals cannot be blocked: {error}"))?;
    let address = std::env::args().nth(1).unwrap_or_else(|| ADDRESS.to_owned());
    let listener = TcpListener::bind(&address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    if let Ok(bound) = listener.local_addr() {
        say(&mut io::stdout(), &format!("hello: listens on {bound}"));
    }

    let ticks = Arc::new(AtomicU64::new(0));
    let served = Arc::clone(&ticks);
    thread::spawn(move || http::serve(&listener, &served));
    thread::spawn(move || tick(&ticks));

    let signal = ending.wait().map_err(|error| format!("signals cannot be awaited: {error}"))?;
    say(&mut io::stdout(), &format!("hello: terminated by {signal}"));
    Ok(())
}

/// A line a second, for ever.
fn tick(ticks: &AtomicU64) {
    loop {
        let n = ticks.fetch_add(1, Ordering::Relaxed);
        say(&mut io::stdout(), &format!("hello n={n}"));
        thread::sleep(Duration::from_secs(1));
    }
}

/// One whole line at once. Nobody reading (the log's reader restarts) is no reason to end, so errors are dropped.
fn say(out: &mut impl Write, line: &str) {
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}
