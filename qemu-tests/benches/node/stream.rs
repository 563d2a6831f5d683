//! Bytes sent from the lab's host into a pod, which counts them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use orlop_machine::{until, within};

use crate::node::Measurable;

/// How many.
pub const BYTES: usize = 100_000_000;
/// One of the ports that the firewall has open (Services' node ports).
const PORT: u16 = 30_500;
/// What the pod does: a connection, and how many bytes came by it.
pub const TAKER: &str = "while :; do nc -l -p 30500 -e wc -c; done";
/// How long a connection may take to be made, and each piece to be taken.
const LIMIT: Duration = Duration::from_secs(60);

/// Seconds until the pod has said that it has them all.
pub fn seconds(node: &Measurable) -> Result<f64> {
    let mut stream = connect(node)?;
    stream.set_read_timeout(Some(within(300)))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let piece = vec![0x5a; 1 << 16];
    let start = Instant::now();
    let mut left = BYTES;
    while left > 0 {
        let length = left.min(piece.len());
        stream.write_all(&piece[..length])?;
        left -= length;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("the pod's count")?;
    let took = start.elapsed().as_secs_f64();
    ensure!(answer.trim() == BYTES.to_string(), "the pod counted {answer}");
    Ok(took)
}

/// Between two connections there is nobody for a moment.
fn connect(node: &Measurable) -> Result<TcpStream> {
    let address = SocketAddr::new(node.address, PORT);
    let connect = || Ok(node.segment.lab.namespace.connect(address, LIMIT)?.ok());
    Ok(until(&format!("listener at {address}"), LIMIT, connect)?)
}
