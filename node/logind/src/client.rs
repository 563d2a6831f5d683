//! One connection: its bytes, its authentication, its calls.

use crate::auth::{Auth, Step};
use crate::inhibitors::Inhibitors;
use crate::manager::{self, Action, LOGIN, PREPARE};
use crate::message::{self, Answer, Kind, LARGEST, Message, Size, Value};
use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The bus' own name, of which everything seems to come.
const SENDER: &str = ":1.0";
/// Until a client has its name.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a connection ends, for the log.
pub type Closed = String;

/// What a client's calls need beside itself.
#[derive(Debug)]
pub struct World<'a> {
    /// All inhibitors.
    pub inhibitors: &'a mut Inhibitors,
    /// How long one holds up the end.
    pub delay: Duration,
    /// The end has begun.
    pub stopping: bool,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: u32,
    stream: UnixStream,
    input: Vec<u8>,
    /// None once messages follow.
    auth: Option<Auth>,
    descriptors: bool,
    named: bool,
    listens: bool,
    serial: u32,
    deadline: Instant,
}

impl Client {
    /// A connection of this user; another user's is none.
    pub fn new(stream: UnixStream, id: u32, uid: u32) -> io::Result<Self> {
        let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
        if peer.uid() != uid {
            let text = format!("user {} (process {}) is not served, only user {uid}", peer.uid(), peer.pid());
            return Err(io::Error::new(ErrorKind::PermissionDenied, text));
        }
        stream.set_nonblocking(true)?;
        Ok(Client {
            id,
            stream,
            input: Vec::new(),
            auth: Some(Auth::new(uid)),
            descriptors: false,
            named: false,
            listens: false,
            serial: 0,
            deadline: Instant::now() + PATIENCE,
        })
    }

    /// What to poll for.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// When it must have its name; none: it has.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (!self.named).then_some(self.deadline)
    }

    /// Reads once, and does what it asks.
    pub fn read(&mut self, world: &mut World<'_>) -> Result<(), Closed> {
        let mut bytes = [0; LARGEST];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Err(String::new()),
            Ok(count) => self.input.extend(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        while self.authenticate()? || self.next_message(world)? {}
        Ok(())
    }

    /// Goes on with the lines before the first message; whether there was one.
    fn authenticate(&mut self) -> Result<bool, Closed> {
        let Some(auth) = &mut self.auth else { return Ok(false) };
        match auth.step(&self.input)? {
            Step::More => Ok(false),
            Step::Say(count, text) => {
                self.input.drain(..count);
                self.send(text.as_bytes()).map(|()| true)
            }
            Step::Begun(count) => {
                self.input.drain(..count);
                self.descriptors = auth.descriptors;
                self.auth = None;
                Ok(true)
            }
        }
    }

    /// Does what the next message asks; whether there was one.
    fn next_message(&mut self, world: &mut World<'_>) -> Result<bool, Closed> {
        if self.auth.is_some() {
            return Ok(false);
        }
        let Size::Bytes(length) = message::size(&self.input)? else { return Ok(false) };
        if self.input.len() < length {
            return Ok(false);
        }
        let bytes: Vec<u8> = self.input.drain(..length).collect();
        let message = Message::read(&bytes)?;
        // Answers and signals of a client are for nobody.
        if message.kind == Kind::Call {
            let action = manager::action(&message);
            self.act(&message, action, world)?;
        }
        Ok(true)
    }

    fn act(&mut self, call: &Message<'_>, action: Action, world: &mut World<'_>) -> Result<(), Closed> {
        if action == Action::Name && !self.named {
            self.named = true;
            return self.reply(call, &Value::Text(format!(":1.{}", self.id)));
        }
        match action {
            _ if !self.named => self.refuse(call, "AccessDenied", "the first call is Hello"),
            Action::Name => self.refuse(call, "Failed", "Hello was called before"),
            Action::Listen(listens) => {
                self.listens |= listens;
                self.reply(call, &Value::Nothing)
            }
            Action::Delay => {
                let delay = u64::try_from(world.delay.as_micros()).unwrap_or(u64::MAX);
                self.reply(call, &Value::Property(delay))
            }
            Action::Inhibit(who) => self.inhibit(call, who, world),
            Action::Refuse(name, text) => self.refuse(call, name, &text),
        }
    }

    fn inhibit(&mut self, call: &Message<'_>, who: String, world: &mut World<'_>) -> Result<(), Closed> {
        if !self.descriptors {
            return self.refuse(
                call,
                "NotSupported",
                "an inhibitor is a descriptor, and NEGOTIATE_UNIX_FD was not said",
            );
        }
        if world.stopping {
            return self.refuse(call, "Failed", "the end has begun");
        }
        if !call.wants_reply {
            return Ok(());
        }
        let made = world.inhibitors.make(self.id, who).map_err(|error| format!("a pipe: {error}"))?;
        let Some(descriptor) = made else {
            return self.refuse(call, "LimitsExceeded", "there are too many inhibitors");
        };
        let bytes = message::reply(self.answer(call), &Value::Descriptor);
        let fds = [descriptor.as_raw_fd()];
        let sent = sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(&bytes)],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        );
        match sent {
            Ok(count) if count == bytes.len() => Ok(()),
            Ok(_) => Err(SLOW.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Tells it that the machine is about to stop, if it listens.
    pub fn prepare(&mut self) -> Result<(), Closed> {
        if !self.listens {
            return Ok(());
        }
        self.serial += 1;
        let [path, interface] = LOGIN;
        self.send(&message::signal(self.serial, [path, interface, PREPARE], SENDER, &Value::Bool(true)))
    }

    fn answer(&mut self, call: &Message<'_>) -> Answer<'static> {
        self.serial += 1;
        Answer { serial: self.serial, to: call.serial, sender: SENDER }
    }

    fn reply(&mut self, call: &Message<'_>, value: &Value) -> Result<(), Closed> {
        if !call.wants_reply {
            return Ok(());
        }
        let answer = self.answer(call);
        self.send(&message::reply(answer, value))
    }

    fn refuse(&mut self, call: &Message<'_>, name: &str, text: &str) -> Result<(), Closed> {
        if !call.wants_reply {
            return Ok(());
        }
        let answer = self.answer(call);
        self.send(&message::error(answer, &format!("org.freedesktop.DBus.Error.{name}"), text))
    }

    /// All of it at once: the kernel keeps far more for a client than all answers together are.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Closed> {
        match self.stream.write(bytes) {
            Ok(count) if count == bytes.len() => Ok(()),
            Ok(_) => Err(SLOW.to_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(SLOW.to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Who does not read its answers.
const SLOW: &str = "it does not read what it asked for";
