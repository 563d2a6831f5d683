//! Metadata as the clouds serve it, over plain HTTP at the link-local address: EC2 (IMDSv2), GCE, Azure with its host
//! agent. The server can be slow, silent, wrong and huge.

mod answers;
mod http;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Lab;
use super::accepting::Accepting;
use super::network::{METADATA, WIRESERVER};
use crate::feed::{Feed, Mark};
use crate::{Card, Error, Result};

use http::Request;

/// How many requests are remembered.
const KEPT: usize = 1024;
/// A server that sends for ever sends this much; no client shall want it.
const HUGE: u64 = 1 << 30;

/// Whose metadata these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// IMDSv2: a token first; without it 401.
    Ec2,
    /// `Metadata-Flavor: Google`.
    Gce,
    /// `Metadata: true`, user data in base64, and the host agent that is told when a machine is ready.
    Azure,
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As the cloud's does.
    Normal,
    /// Each answer comes after so long.
    Slow(Duration),
    /// One byte of the answer after the other, so long apart.
    Dripping(Duration),
    /// Takes the connection, and says nothing.
    Silent,
    /// 404 for everything.
    NotFound,
    /// 500 for everything.
    Failing,
    /// Bytes that are no HTTP.
    Garbage,
    /// HTTP, whose document is no text.
    NotText,
    /// A document without an end.
    Huge,
}

/// A metadata server. It is gone when this is dropped.
#[derive(Debug)]
pub struct Metadata {
    shared: Arc<Shared>,
    _accepting: Vec<Accepting>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    requests: Feed<String>,
}

#[derive(Clone, Debug)]
struct State {
    cloud: Cloud,
    mood: Mood,
    document: Vec<u8>,
    only: Option<IpAddr>,
}

impl Metadata {
    /// Starts it with this document as every machine's user data.
    pub fn start(lab: &Lab, cloud: Cloud, document: &str) -> Result<Metadata> {
        let state = Mutex::new(State { cloud, mood: Mood::Normal, document: document.into(), only: None });
        let shared = Arc::new(Shared { state, requests: Feed::new(KEPT) });
        let mut accepting = Vec::new();
        for address in [METADATA, WIRESERVER].into_iter().take(if cloud == Cloud::Azure { 2 } else { 1 }) {
            let wrong = |error| Error::Lab(format!("{address}: {error}"));
            let listener = lab.namespace.listen(SocketAddr::new(address.parse().map_err(wrong)?, 80))?;
            let shared = Arc::clone(&shared);
            // A client that hangs up has had enough.
            accepting.push(Accepting::start(listener, move |stream| drop(shared.serve(stream)))?);
        }
        Ok(Metadata { shared, _accepting: accepting })
    }

    /// Changes how it behaves, from the next request on.
    pub fn mood(&self, mood: Mood) {
        self.shared.lock().mood = mood;
    }

    /// Changes the document.
    pub fn document(&self, document: &[u8]) {
        self.shared.lock().document = document.into();
    }

    /// From now on it is this machine's: all others hear 404. A machine that finds its own config elsewhere might take
    /// another's from here, if it looks here first.
    pub fn only(&self, card: &Card) {
        self.shared.lock().only = Some(card.address.into());
    }

    /// From now on it is another cloud's, with this document. Azure's host agent is there if it was from the start.
    pub fn becomes(&self, cloud: Cloud, document: &[u8]) {
        let mut state = self.shared.lock();
        (state.cloud, state.mood, state.document) = (cloud, Mood::Normal, document.into());
    }

    /// The position behind the requests so far.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.shared.requests.mark()
    }

    /// Waits for a request since `mark` whose first line (`GET /latest/user-data`) holds `text`.
    pub fn wait_for(&self, mark: Mark, text: &str, limit: Duration) -> Result<String> {
        let found = self.shared.requests.wait(mark, limit, |line| line.contains(text).then(|| line.clone()));
        found.ok_or_else(|| {
            let seen = self.shared.requests.collect(Mark::default(), |line| Some(line.clone()));
            Error::Lab(format!("no request with `{text}` within {} s; there were {seen:?}", limit.as_secs_f32()))
        })
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request, one answer, and the end of the connection.
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let request = Request::read(&stream)?;
        self.requests.push(format!("{} {}", request.method, request.path));
        let State { cloud, mood, document, only } = self.lock().clone();
        let peer = stream.peer_addr()?.ip();
        let answer = match mood {
            _ if only.is_some_and(|only| only != peer) => http::answer(404, b"of another machine"),
            Mood::NotFound => http::answer(404, b"no such thing"),
            Mood::Failing => http::answer(500, b"try again"),
            Mood::Garbage => vec![0xa5; 4096],
            Mood::NotText => answers::answer(cloud, &request, &[0xff, 0xfe, 0, 0x80]),
            _ => answers::answer(cloud, &request, &document),
        };
        match mood {
            Mood::Slow(delay) => {
                std::thread::sleep(delay);
                http::send(&stream, &answer)
            }
            Mood::Dripping(delay) => answer.iter().try_for_each(|byte| {
                std::thread::sleep(delay);
                http::send(&stream, std::slice::from_ref(byte))
            }),
            // Until the client has had enough.
            Mood::Silent => http::drain(&stream),
            Mood::Huge => http::endless(&stream, HUGE),
            _ => http::send(&stream, &answer),
        }
    }
}
