//! The smallest HTTP/1.1 server that a client believes: every request gets the same answer, then the end.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client that says nothing or reads nothing holds the one thread no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer requests are answered without having been read to the end.
const LONGEST_REQUEST: usize = 8 * 1024;

/// Answers one connection after the other; a broken one is the client's business.
pub fn serve(listener: &TcpListener, ticks: &AtomicU64) {
    for connection in listener.incoming().flatten() {
        let _ = answer(connection, ticks.load(Ordering::Relaxed));
    }
}

fn answer(mut connection: TcpStream, n: u64) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    read_request(&mut connection)?;
    connection.write_all(response(n).as_bytes())
}

/// Reads to the blank line: closing with unread bytes would reset the connection under the answer.
fn read_request(from: &mut impl Read) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 512];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < LONGEST_REQUEST {
        match from.read(&mut part)? {
            0 => break,
            n => request.extend_from_slice(&part[..n]),
        }
    }
    Ok(())
}

fn response(n: u64) -> String {
    let body = format!("hello n={n}\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_its_own_length() {
        let text = response(42);
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert_eq!(body, "hello n=42\n");
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
    }

    #[test]
    fn a_request_without_an_end_is_given_up() {
        assert!(read_request(&mut io::repeat(b'a')).is_ok());
        assert!(read_request(&mut io::empty()).is_ok());
    }
}
