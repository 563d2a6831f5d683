//! A web server for tests: answers are a function of the request, and may break off or stand still.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request: its path, what it says of ranges, who asks, and what is sent with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub authorization: Option<String>,
    /// What the client calls the server.
    pub host: String,
    pub body: String,
}

/// An answer.
pub struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// After how many bytes of the body the connection is closed.
    cut: usize,
    /// Instead, it stays open and silent until the client gives up.
    silent: bool,
}

impl Answer {
    pub fn ok(body: &[u8]) -> Answer {
        Answer { status: "200 OK", headers: String::new(), body: body.into(), cut: usize::MAX, silent: false }
    }

    pub fn status(status: &'static str) -> Answer {
        Answer { status, ..Answer::ok(b"") }
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub fn cut_after(mut self, bytes: usize) -> Answer {
        self.cut = bytes;
        self
    }

    pub fn silent_after(self, bytes: usize) -> Answer {
        Answer { silent: true, ..self.cut_after(bytes) }
    }

    /// The rest of a file from a byte on.
    pub fn rest(body: &[u8], from: usize) -> Answer {
        let (last, all) = (body.len() - 1, body.len());
        let answer = Answer { status: "206 Partial Content", ..Answer::ok(&body[from..]) };
        answer.header("Content-Range", &format!("bytes {from}-{last}/{all}"))
    }
}

/// A running server; it lives as long as the test's process.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server; `answer` is told how many requests there were before. Each connection has its own thread.
    pub fn start(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen, answer) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Server { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Host and port, as an image's reference names a registry.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &impl Fn(usize, &Request) -> Answer) {
    let Some(request) = read(&mut BufReader::new(&stream)) else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let Answer { status, headers, body, cut, silent } = answer(before, &request);
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    // The client may be gone already; that is its business.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..cut.min(length)]);
    if silent {
        let _ = stream.read(&mut [0]);
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.trim_start_matches('/').to_string();
    let (host, body) = (String::new(), String::new());
    let mut request = Request { path, range: None, if_range: None, authorization: None, host, body };
    let mut length = 0_u64;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.trim().into()),
            "authorization" => request.authorization = Some(value.trim().into()),
            "host" => request.host = value.trim().into(),
            "if-range" => request.if_range = Some(value.trim().into()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    stream.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
