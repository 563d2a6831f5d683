//! As much of HTTP/1.1 as a metadata server speaks.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a client may take for its request.
const LIMIT: Duration = Duration::from_secs(30);
/// No request is longer.
const MOST: u64 = 64 * 1024;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn read(stream: &TcpStream) -> io::Result<Request> {
        stream.set_read_timeout(Some(LIMIT))?;
        Request::parse(BufReader::new(stream.take(MOST)))
    }

    fn parse(mut reader: impl BufRead) -> io::Result<Request> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut request = Request {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            ..Request::default()
        };
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                request.headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
            }
        }
        let length = request.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.take(length).read_to_end(&mut request.body)?;
        Ok(request)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An answer's bytes.
pub(super) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Internal Server Error",
    };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    [head.as_bytes(), b"Metadata-Flavor: Google\r\n\r\n", body].concat()
}

pub(super) fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// Reads until the other side is at its end.
pub(super) fn drain(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Sends a document of no length that is told.
pub(super) fn endless(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    io::copy(&mut io::repeat(b'#').take(bytes), &mut stream).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_headers_and_body() {
        let text = b"PUT /latest/api/token HTTP/1.1\r\nX-Aws-Ec2: 60\r\ncontent-length: 2\r\n\r\nabc";
        let request = Request::parse(&text[..]).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/latest/api/token"));
        assert_eq!((request.header("x-aws-ec2"), request.body.as_slice()), ("60", &b"ab"[..]));
        assert_eq!(Request::parse(&b""[..]).unwrap(), Request::default());
    }
}
