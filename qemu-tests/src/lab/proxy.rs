//! A proxy for HTTPS (CONNECT, RFC 9110 §9.3.6) and HTTP (RFC 9112 §3.2.2), for who says a name and a password. It keeps what
//! it was asked for.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Lab;
use super::accepting::Accepting;
use super::forward::join;
use super::network::{DOMAIN, HOST, host};
use crate::Result;
use crate::feed::{Feed, Mark};

/// Where it is, at the lab's host.
const PORT: u16 = 3128;
/// Name and password, as they stand in a URL.
const WHO: &str = "lab:way-out";
/// How many requests are remembered.
const KEPT: usize = 4096;
/// How long a client may take for its request.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the server behind may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// No request's head is longer.
const LARGEST_HEAD: u64 = 64 * 1024;

/// A proxy at the lab's host. It takes no more connections when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    asked: Feed<String>,
    _accepting: Accepting,
}

impl Proxy {
    /// Starts it.
    pub fn start(lab: &Lab) -> Result<Proxy> {
        let listener = lab.namespace.listen(SocketAddr::new(host(), PORT))?;
        let namespace = lab.namespace.downgrade();
        let asked = Feed::new(KEPT);
        let said = asked.clone();
        let accepting = Accepting::start(listener, move |client| {
            let connect = |target: SocketAddr| -> io::Result<TcpStream> {
                let namespace = namespace.upgrade().ok_or(io::ErrorKind::NotConnected)?;
                namespace.connect(target, CONNECT).map_err(io::Error::other)?
            };
            // A client that goes away sees that at its own end.
            let _ = serve(client, &said, connect);
        })?;
        Ok(Proxy { asked, _accepting: accepting })
    }

    /// Its address with name and password, as a node config has it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{WHO}@{HOST}:{PORT}")
    }

    /// What it was asked for, with its answers: `CONNECT api.lab.test:6443: 200 OK`. Of plain HTTP it says that the server is
    /// asked: `GET http://registry.lab.test:5000/v2/: led on`.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.collect(Mark::default(), |line| Some(line.clone())).into_iter().collect()
    }
}

/// One request, and what is said behind it.
fn serve(
    client: TcpStream,
    asked: &Feed<String>,
    connect: impl FnOnce(SocketAddr) -> io::Result<TcpStream>,
) -> io::Result<()> {
    client.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new((&client).take(LARGEST_HEAD));
    let head = head(&mut reader)?;
    // Of a client that does not wait for the answer.
    let early = reader.buffer().to_vec();
    client.set_read_timeout(None)?;
    let mut words = head.first().map_or("", String::as_str).split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let plain = target.strip_prefix("http://");
    let wanted = plain.map_or(target, |rest| rest.split('/').next().unwrap_or_default());
    let server = match place(wanted).filter(|_| (method == "CONNECT") != plain.is_some()) {
        _ if !is_known(&head) => Err("407 Proxy Authentication Required"),
        Some(place) => connect(place).map_err(|_| "502 Bad Gateway"),
        None => Err("403 Forbidden"),
    };
    let led = if plain.is_some() { "led on" } else { "200 OK" };
    let status = server.as_ref().map_or_else(|status| *status, |_| led);
    asked.push(format!("{method} {target}: {status}"));
    match server {
        Ok(mut server) => {
            if plain.is_some() {
                server.write_all(alone(&head).as_bytes())?;
            } else {
                (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            }
            server.write_all(&early)?;
            join(client, server)
        }
        Err(status) => {
            let answer = format!(
                "HTTP/1.1 {status}\r\nProxy-Authenticate: Basic realm=\"lab\"\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            (&client).write_all(answer.as_bytes())?;
            client.shutdown(Shutdown::Write)
        }
    }
}

/// A request's lines, up to the empty one.
fn head(mut reader: impl BufRead) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => return Ok(lines),
            text => lines.push(text.to_owned()),
        }
    }
}

/// A request's head for the server, which takes an address with its host as it stands there. It is the connection's only
/// one: the next may be for another server.
fn alone(head: &[String]) -> String {
    let is_ours = |line: &&String| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        name != "connection" && !name.starts_with("proxy-")
    };
    let kept: String = head.iter().filter(is_ours).map(|line| format!("{line}\r\n")).collect();
    kept + "Connection: close\r\n\r\n"
}

fn is_known(head: &[String]) -> bool {
    let basic = format!("Basic {}", STANDARD.encode(WHO));
    let mut headers = head.iter().filter_map(|line| line.split_once(':'));
    headers.any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value.trim() == basic)
}

/// Where a connection goes: the lab's names are its host's, and no others are known.
fn place(target: &str) -> Option<SocketAddr> {
    if let Ok(address) = target.parse() {
        return Some(address);
    }
    let (name, port) = target.rsplit_once(':')?;
    let ours = name.strip_suffix(DOMAIN).is_some_and(|rest| rest.ends_with('.'));
    let port: u16 = port.parse().ok().filter(|_| ours)?;
    Some(SocketAddr::new(host(), port))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_is_known_is_led_on_and_everybody_else_is_told_why_not() {
        let asked = Feed::new(8);
        let answer = |request: &str| {
            let (front, behind) =
                (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
            let (entry, target) = (front.local_addr().unwrap(), behind.local_addr().unwrap());
            std::thread::spawn(move || {
                let mut server = behind.accept().unwrap().0;
                // One that ends with something unread resets the connection.
                server.read_to_end(&mut Vec::new()).unwrap();
                server.write_all(b"led on").unwrap();
            });
            let said = asked.clone();
            std::thread::spawn(move || serve(front.accept().unwrap().0, &said, |_| TcpStream::connect(target)));
            let mut client = TcpStream::connect(entry).unwrap();
            client.write_all(request.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            text
        };
        let who = format!("\r\nproxy-authorization: Basic {}\r\n\r\n", STANDARD.encode(WHO));
        assert_eq!(answer(&format!("CONNECT api.lab.test:6443 HTTP/1.1{who}")), "HTTP/1.1 200 OK\r\n\r\nled on");
        for (request, status) in [
            ("CONNECT api.lab.test:6443 HTTP/1.1\r\n\r\n".to_owned(), "407 "),
            ("CONNECT api.lab.test:6443 HTTP/1.1\r\nProxy-Authorization: Basic eDp5\r\n\r\n".to_owned(), "407 "),
            (format!("CONNECT api.example:6443 HTTP/1.1{who}"), "403 "),
            (format!("GET 192.0.2.1:80 HTTP/1.1{who}"), "403 "),
            (format!("CONNECT http://registry.lab.test:5000 HTTP/1.1{who}"), "403 "),
            ("GET http://registry.lab.test:5000/ HTTP/1.1\r\n\r\n".to_owned(), "407 "),
        ] {
            let said = answer(&request);
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {said}");
        }
        let kept = asked.collect(Mark::default(), |line| Some(line.clone()));
        assert_eq!(kept[0], "CONNECT api.lab.test:6443: 200 OK");
        assert_eq!(kept.len(), 7, "{kept:?}");
        // The server answers a plain request itself.
        assert_eq!(answer(&format!("GET http://registry.lab.test:5000/v2/ HTTP/1.1{who}")), "led on");
        let said = asked.collect(Mark::default(), |line| Some(line.clone())).pop();
        assert_eq!(said.as_deref(), Some("GET http://registry.lab.test:5000/v2/: led on"));
    }

    #[test]
    fn a_server_hears_nothing_of_the_proxy_and_one_request_alone() {
        let head =
            ["GET http://a.lab.test/v2/ HTTP/1.1", "Host: a.lab.test", "Proxy-Authorization: Basic x", "connection: x"];
        let heard = "GET http://a.lab.test/v2/ HTTP/1.1\r\nHost: a.lab.test\r\nConnection: close\r\n\r\n";
        assert_eq!(alone(&head.map(str::to_owned)), heard);
    }

    #[test]
    fn the_labs_names_are_at_its_host() {
        let found = |target| place(target).map(|address| address.to_string());
        assert_eq!(found("registry.lab.test:443").as_deref(), Some("192.0.2.1:443"));
        assert_eq!(found("192.0.2.7:8443").as_deref(), Some("192.0.2.7:8443"));
        for other in
            ["", "registry.lab.test", "registry.lab.test:x", "lab.test:443", "evil-lab.test:443", "api.example:443"]
        {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
