//! A web server on this machine: what it answers to a path, and how much of it arrives.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// An answer to every request.
pub enum Answer {
    /// The whole file.
    File(Vec<u8>),
    /// The connection ends after so many bytes of it; what is asked for from there on comes whole.
    CutOnce(Vec<u8>, usize),
    /// Not there.
    NotFound,
    /// Not there, which only who says this (`Authorization`) is told: others are asked for name and password.
    Guarded(&'static str),
}

/// Lives as long as the test's process.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&mut BufReader::new(&stream)) else { continue };
                let bytes = answer.bytes(&request);
                seen.lock().unwrap().push(request.path);
                // The client may be gone already; that is its business.
                let _ = stream.write_all(&bytes);
            }
        });
        Server { address, requests }
    }

    /// An address at which nobody listens any more.
    pub fn closed() -> Server {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Server { address, requests: Arc::default() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Answer {
    fn bytes(&self, request: &Request) -> Vec<u8> {
        match (self, request.from) {
            (Answer::Guarded(who), _) if request.authorization.as_deref() != Some(*who) => {
                let challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n";
                format!("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n{challenge}Content-Length: 0\r\n\r\n").into()
            }
            (Answer::NotFound | Answer::Guarded(_), _) => {
                b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into()
            }
            (Answer::File(file), _) => whole(file, file.len()),
            (Answer::CutOnce(file, cut), None) => whole(file, *cut),
            (Answer::CutOnce(file, _), Some(from)) => rest(file, from),
        }
    }
}

const VALIDATOR: &str = "ETag: \"1\"\r\nAccept-Ranges: bytes\r\n";

fn whole(file: &[u8], cut: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{VALIDATOR}Content-Length: {}\r\n\r\n", file.len());
    [head.as_bytes(), &file[..cut]].concat()
}

fn rest(file: &[u8], from: usize) -> Vec<u8> {
    let (last, all, length) = (file.len() - 1, file.len(), file.len() - from);
    let range = format!("Content-Range: bytes {from}-{last}/{all}\r\nContent-Length: {length}\r\n");
    let head = format!("HTTP/1.1 206 Partial Content\r\nConnection: close\r\n{VALIDATOR}{range}\r\n");
    [head.as_bytes(), &file[from..]].concat()
}

/// What matters of a request.
struct Request {
    path: String,
    /// The first byte that is asked for.
    from: Option<usize>,
    authorization: Option<String>,
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut lines = stream.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let path = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let mut request = Request { path, from: None, authorization: None };
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.from = value.split('=').nth(1)?.trim_end_matches('-').parse().ok(),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(request)
}
