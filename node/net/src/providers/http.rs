//! HTTP/1.1 as metadata servers speak it: one request a connection, no redirects, bounds on time and size. No TLS: they
//! have none.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A server on the same segment that is there answers at once.
const CONNECT: Duration = Duration::from_secs(2);
/// For everything together.
const ALL: Duration = Duration::from_secs(8);
/// The most bytes of an answer's head.
const HEAD: usize = 16 << 10;
/// The most header lines.
const HEADERS: usize = 64;

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `PUT`, `POST`.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Header lines beside those of every request.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// The most bytes of the answer's body.
    pub largest: usize,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// The body of an answer that is well.
    pub fn good(self, path: &str) -> Result<Vec<u8>, String> {
        match self.status {
            200 => Ok(self.body),
            404 => Err(format!("{path} is not there (404)")),
            status => Err(format!("{path}: status {status}")),
        }
    }
}

/// Asks, within the bounds.
pub fn ask(server: SocketAddr, request: &Request<'_>) -> Result<Answer, String> {
    exchange(server, request, ALL).map_err(|error| format!("{} {}: {error}", server.ip(), request.path))
}

fn exchange(server: SocketAddr, request: &Request<'_>, patience: Duration) -> Result<Answer, String> {
    let end = Instant::now() + patience;
    let error = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    };
    let mut stream = TcpStream::connect_timeout(&server, CONNECT).map_err(error)?;
    stream.set_write_timeout(Some(CONNECT)).map_err(error)?;
    stream.write_all(&encode(server, request)).map_err(error)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(answer) = parse(&bytes, request.largest, false)? {
            return Ok(answer);
        }
        let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        let left = left.ok_or("no whole answer in time")?;
        stream.set_read_timeout(Some(left)).map_err(error)?;
        let length = match stream.read(&mut piece) {
            Ok(length) => length,
            Err(interrupted) if interrupted.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(other) => return Err(error(other)),
        };
        if length == 0 {
            return parse(&bytes, request.largest, true)?.ok_or_else(|| "the answer is cut".into());
        }
        bytes.extend_from_slice(&piece[..length]);
    }
}

fn encode(server: SocketAddr, request: &Request<'_>) -> Vec<u8> {
    let mut text = String::new();
    let _ = write!(text, "{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.path, server.ip());
    let _ = write!(text, "User-Agent: orlop-net\r\nAccept: */*\r\nConnection: close\r\n");
    for (name, value) in request.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if request.method != "GET" {
        let _ = write!(text, "Content-Length: {}\r\n", request.body.len());
    }
    text.push_str("\r\n");
    [text.as_bytes(), request.body].concat()
}

/// An answer, once it is whole; `closed`: no more bytes come.
pub fn parse(bytes: &[u8], largest: usize, closed: bool) -> Result<Option<Answer>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(format!("the answer's head is longer than {HEAD} bytes")),
        Err(error) => return Err(format!("the answer is not HTTP: {error}")),
    };
    let status = response.code.unwrap_or(0);
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    let rest = &bytes[head..];
    let too_large = || format!("the answer has more than {largest} bytes");
    let chunked = answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked {
        // Sizes and line ends are a few bytes a chunk; a server that sends a byte a chunk is not one of metadata.
        if rest.len() > 2 * largest + HEAD {
            return Err(too_large());
        }
        unchunk(rest)?
    } else if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().map_err(|_| "the answer's length is no number")?;
        if length > largest {
            return Err(too_large());
        }
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        if rest.len() > largest {
            return Err(too_large());
        }
        closed.then(|| rest.to_vec())
    };
    match body {
        Some(body) if body.len() > largest => Err(too_large()),
        Some(body) => {
            answer.body = body;
            Ok(Some(answer))
        }
        None => Ok(None),
    }
}

/// The bytes of all chunks, once the last has come.
fn unchunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete((at, size))) => {
                if size == 0 {
                    return Ok(Some(body));
                }
                let Ok(size) = usize::try_from(size) else { return Err("a chunk is too large".into()) };
                let Some(end) = at.checked_add(size).and_then(|end| end.checked_add(2)) else {
                    return Err("a chunk is too large".into());
                };
                let Some(chunk) = bytes.get(at..end) else { return Ok(None) };
                if !chunk.ends_with(b"\r\n") {
                    return Err("a chunk does not end where it should".into());
                }
                body.extend_from_slice(&chunk[..size]);
                bytes = &bytes[end..];
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk has no size".into()),
        }
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
pub(crate) mod tests;
