//! Servers that are slow, cut, huge, or no servers of HTTP at all.

use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, TcpListener};

const LARGEST: usize = 1000;

/// A server that answers each connection with the next of these bytes, then closes it.
pub fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut bytes = [0; 4096];
            let length = stream.read(&mut bytes).expect("a request");
            requests.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            let _ = stream.write_all(&answer);
        }
        requests
    });
    (address, thread)
}

/// An answer's bytes.
pub fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn get(answer: &[u8]) -> Result<Answer, String> {
    let (address, thread) = server(vec![answer.to_vec()]);
    let request = Request { method: "GET", path: "/a", headers: &[("X-A", "b")], body: &[], largest: LARGEST };
    let answer = ask(address, &request);
    let requests = thread.join().expect("a server");
    assert!(requests[0].starts_with("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n"), "{requests:?}");
    assert!(requests[0].ends_with("\r\nX-A: b\r\n\r\n"), "{requests:?}");
    answer
}

#[test]
fn answers_of_each_form_are_read() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello",
    ] {
        assert_eq!(get(answer.as_bytes()).expect("an answer").body, b"hello", "{answer}");
    }
    let missing = get(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").expect("an answer");
    assert_eq!(missing.good("/a"), Err("/a is not there (404)".into()));
    let elsewhere =
        get(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.9/\r\nContent-Length: 0\r\n\r\n").expect("one");
    assert_eq!(elsewhere.good("/a"), Err("/a: status 302".into()));
}

#[test]
fn hostile_answers_are_refused_by_name() {
    let long_head = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; HEAD]].concat();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100));
    let huge_chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "3e8\r\n".to_owned() + &"a".repeat(1000) + "\r\n1\r\na\r\n0\r\n\r\n"
    );
    for (answer, why) in [
        (&b"\x16\x03\x01\x02\x00"[..], "the answer is not HTTP"),
        (b"", "the answer is cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "the answer is cut"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "no number"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "a chunk is too large"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk has no size"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "a chunk does not end"),
        (huge_chunks.as_bytes(), "more than 1000 bytes"),
        (&long_head, "head is longer"),
        (many.as_bytes(), "the answer is not HTTP"),
    ] {
        let error = get(answer).expect_err("no answer");
        assert!(error.contains(why) && error.starts_with("127.0.0.1 /a: "), "{error}");
    }
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'a'; 5000]].concat();
    assert!(get(&endless).expect_err("too much").contains("more than 1000 bytes"));
}

#[test]
fn a_port_where_nobody_is_says_so() {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|one| one.local_addr()).expect("an address");
    let request = Request { method: "GET", path: "/a", headers: &[], body: &[], largest: LARGEST };
    assert!(ask(closed, &request).expect_err("nobody").contains("refused"));
}

#[test]
fn a_server_that_says_nothing_or_a_byte_now_and_then_is_left() {
    for drip in [false, true] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            // Until the other end is gone.
            while !drip || stream.write_all(b"\r\n").is_ok() {
                stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
                match stream.read(&mut [0; 1000]) {
                    Ok(0) => return,
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                    _ => {}
                }
            }
        });
        let request = Request { method: "GET", path: "/a", headers: &[], body: &[], largest: LARGEST };
        let start = Instant::now();
        let error = exchange(address, &request, Duration::from_millis(300)).expect_err("no answer");
        assert!(error.contains("in time") || error.contains("not HTTP"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(2));
        thread.join().expect("a server");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic_or_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..600), closed: bool) {
        for head in ["", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let all = [head.as_bytes(), &bytes].concat();
            if let Ok(Some(answer)) = parse(&all, 100, closed) {
                prop_assert!(answer.body.len() <= 100);
            }
        }
    }
}
