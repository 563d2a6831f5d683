//! HTTP Basic before a server that asks nobody who he is: who says the right name and password is forwarded.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Namespace;
use super::accepting::Accepting;
use super::forward::join;
use crate::Result;

/// How long the server behind may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// No request's head is longer.
const LARGEST_HEAD: u64 = 64 * 1024;

/// Name and password that are let through.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub name: &'static str,
    pub password: &'static str,
}

/// Connections to a listener, forwarded once their first request says who asks, until this is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    _accepting: Accepting,
}

impl Guard {
    pub(super) fn start(listener: TcpListener, who: &Who, namespace: &Namespace, target: SocketAddr) -> Result<Guard> {
        let namespace = namespace.downgrade();
        let basic = format!("basic {}", STANDARD.encode(format!("{}:{}", who.name, who.password)));
        let accepting = Accepting::start(listener, move |client| {
            // Not before: a client that says nothing must not keep the network of a lab that has ended.
            let connect = || -> io::Result<TcpStream> {
                let namespace = namespace.upgrade().ok_or(io::ErrorKind::NotConnected)?;
                namespace.connect(target, CONNECT).map_err(io::Error::other)?
            };
            // A client that goes away sees that at its own end.
            let _ = serve(client, &basic, connect);
        })?;
        Ok(Guard { _accepting: accepting })
    }
}

fn serve(client: TcpStream, basic: &str, connect: impl FnOnce() -> io::Result<TcpStream>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?.take(LARGEST_HEAD));
    let (mut head, mut is_known) = (Vec::new(), false);
    loop {
        let start = head.len();
        reader.read_until(b'\n', &mut head)?;
        let line = String::from_utf8_lossy(&head[start..]).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        let said = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        is_known |= said.is_some_and(|(_, value)| same(value.trim(), basic));
    }
    if !is_known {
        const REFUSED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"lab\"\r\n\
            Content-Length: 0\r\nConnection: close\r\n\r\n";
        return (&client).write_all(REFUSED).and_then(|()| client.shutdown(Shutdown::Write));
    }
    let server = connect()?;
    (&server).write_all(&head)?;
    (&server).write_all(reader.buffer())?;
    join(client, server)
}

/// The scheme's case does not matter.
fn same(said: &str, basic: &str) -> bool {
    match (said.split_once(' '), basic.split_once(' ')) {
        (Some((scheme, said)), Some((wanted, right))) => scheme.eq_ignore_ascii_case(wanted) && said == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_unknown_is_told_to_say_who_it_is() {
        let answer = |header: &str| {
            let behind = TcpListener::bind("127.0.0.1:0").unwrap();
            let front = TcpListener::bind("127.0.0.1:0").unwrap();
            let (target, place) = (behind.local_addr().unwrap(), front.local_addr().unwrap());
            std::thread::spawn(move || {
                let (mut stream, _) = behind.accept().unwrap();
                let mut first = [0; 5];
                stream.read_exact(&mut first).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            });
            std::thread::spawn(move || serve(front.accept().unwrap().0, "basic dTpw", || TcpStream::connect(target)));
            let mut client = TcpStream::connect(place).unwrap();
            client.write_all(format!("GET / HTTP/1.1\r\n{header}\r\n").as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            text
        };
        for wrong in ["", "Authorization: Basic eDp5\r\n", "Authorization: Bearer dTpw\r\n"] {
            assert!(answer(wrong).starts_with("HTTP/1.1 401"), "{wrong}");
        }
        assert!(answer("authorization: Basic dTpw\r\n").starts_with("HTTP/1.1 200"));
    }
}
