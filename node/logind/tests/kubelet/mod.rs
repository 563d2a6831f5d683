//! A client that speaks as kubelet's library (godbus) does, byte by byte, with no code of the program's own.
#![allow(dead_code, reason = "each test program uses a part of it")]

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What is awaited comes within this, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

const BUS: [&str; 2] = ["/org/freedesktop/DBus", "org.freedesktop.DBus"];
const LOGIN: [&str; 2] = ["/org/freedesktop/login1", "org.freedesktop.login1"];
const MANAGER: &str = "org.freedesktop.login1.Manager";
const RULE: &str = "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown',path='/org/freedesktop/login1'";

/// A connection.
pub struct Kubelet {
    pub stream: UnixStream,
    serial: u32,
}

/// A message that came, as far as a test looks at it.
#[derive(Debug)]
pub struct Came {
    /// 2 an answer, 3 an error, 4 a signal.
    pub kind: u8,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Its arguments.
    pub body: Vec<u8>,
    /// The descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
}

impl Came {
    /// Whether it has this text somewhere.
    pub fn has(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

impl Kubelet {
    /// Connects, and says nothing.
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("the socket is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Kubelet { stream, serial: 0 }
    }

    /// Connects, says who it is as godbus does, and gets its name.
    pub fn named(socket: &Path) -> Self {
        let mut kubelet = Kubelet::connect(socket);
        kubelet.send(b"\0");
        assert_eq!(kubelet.ask_line("AUTH"), "REJECTED EXTERNAL\r\n");
        let uid = nix::unistd::geteuid().to_string();
        let hex: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        let ok = kubelet.ask_line(&format!("AUTH EXTERNAL {hex}"));
        assert!(ok.starts_with("OK ") && ok.len() == "OK \r\n".len() + 32, "{ok}");
        assert_eq!(kubelet.ask_line("NEGOTIATE_UNIX_FD"), "AGREE_UNIX_FD\r\n");
        kubelet.send(b"BEGIN\r\n");
        let name = kubelet.call(BUS, BUS[1], "Hello", &[]);
        assert!(name.kind == 2 && name.has(":1."), "{name:?}");
        kubelet
    }

    /// What a shutdown manager does at its start: the delay in microseconds, and the inhibitor.
    pub fn managing(socket: &Path) -> (Self, u64, OwnedFd) {
        let mut kubelet = Kubelet::named(socket);
        let delay = kubelet.delay();
        let mut inhibit = kubelet.inhibit();
        let inhibitor = inhibit.descriptors.pop().unwrap_or_else(|| panic!("an inhibitor: {inhibit:?}"));
        let listens = kubelet.call(BUS, BUS[1], "AddMatch", &[RULE]);
        assert!(listens.kind == 2 && listens.body.is_empty(), "{listens:?}");
        (kubelet, delay, inhibitor)
    }

    /// `InhibitDelayMaxUSec`.
    pub fn delay(&mut self) -> u64 {
        let got = self.call(LOGIN, "org.freedesktop.DBus.Properties", "Get", &[MANAGER, "InhibitDelayMaxUSec"]);
        assert!(got.kind == 2 && got.body.starts_with(b"\x01t\0"), "{got:?}");
        u64::from_le_bytes(got.body[8..16].try_into().expect("eight bytes"))
    }

    /// Asks for an inhibitor.
    pub fn inhibit(&mut self) -> Came {
        let why = "Kubelet needs time to handle node shutdown";
        self.call(LOGIN, MANAGER, "Inhibit", &["shutdown", "kubelet", why, "delay"])
    }

    /// Calls a method, and waits for the answer.
    pub fn call(&mut self, [path, destination]: [&str; 2], interface: &str, member: &str, texts: &[&str]) -> Came {
        self.serial += 1;
        let bytes = call(self.serial, [path, destination, interface, member], texts);
        self.send(&bytes);
        self.message().expect("an answer")
    }

    /// Sends bytes. The other end may have closed.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn ask_line(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        let mut answer = String::new();
        while !answer.ends_with('\n') {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("an answer to a line");
            answer.push(byte[0].into());
        }
        answer
    }

    /// Waits for a message; none: the connection was closed.
    pub fn message(&mut self) -> Option<Came> {
        let mut descriptors = Vec::new();
        let fixed = self.read(16, &mut descriptors)?;
        let number = |at: usize| u32::from_le_bytes(fixed[at..at + 4].try_into().expect("four bytes")) as usize;
        let fields = self.read(number(12).next_multiple_of(8), &mut descriptors)?;
        let body = self.read(number(4), &mut descriptors)?;
        Some(Came { kind: fixed[1], bytes: [&fixed[..], &fields, &body].concat(), body, descriptors })
    }

    fn read(&self, count: usize, descriptors: &mut Vec<OwnedFd>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let mut part = vec![0; count - bytes.len()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut part)];
            let length = recvmsg(&self.stream, &mut parts, &mut control, RecvFlags::empty()).ok()?.bytes;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = message {
                    descriptors.extend(fds);
                }
            }
            if length == 0 {
                return None;
            }
            bytes.extend(&part[..length]);
        }
        Some(bytes)
    }

    /// Waits until the other end closes the connection, whatever it says before.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A call's bytes: path, destination, interface, member; arguments that are all texts.
pub fn call(serial: u32, [path, destination, interface, member]: [&str; 4], texts: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    texts.iter().for_each(|one| text(&mut body, one));
    let mut fields = Vec::new();
    for (code, kind, value) in [(3, b's', member), (6, b's', destination), (1, b'o', path), (2, b's', interface)] {
        pad(&mut fields, 8);
        fields.extend([code, 1, kind, 0]);
        text(&mut fields, value);
    }
    if !texts.is_empty() {
        pad(&mut fields, 8);
        fields.extend([8, 1, b'g', 0, texts.len() as u8]);
        fields.extend("s".repeat(texts.len()).bytes());
        fields.push(0);
    }
    let mut bytes = vec![b'l', 1, 0, 1];
    for number in [body.len(), serial as usize, fields.len()] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.extend(fields);
    pad(&mut bytes, 8);
    bytes.extend(body);
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    pad(bytes, 4);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.push(0);
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// PID 1's end of the pair.
pub struct Init(BufReader<UnixStream>);

impl Init {
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Init(BufReader::new(stream))
    }

    /// The machine is to stop.
    pub fn shutdown(&mut self) {
        self.0.get_mut().write_all(b"shutdown\n").expect("it listens");
    }

    /// The next line that it hears.
    pub fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line in time");
        line.trim_end().to_owned()
    }
}
