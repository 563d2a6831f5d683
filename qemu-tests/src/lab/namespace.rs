//! Programs and sockets in the lab's network.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::holder::{Kind, receive, send};
use super::service::{finish, succeeded};
use crate::spawn::Reaped;
use crate::{Error, Result, program};

const UNSHARE: (&str, &str) = ("unshare", "util-linux");
const NSENTER: (&str, &str) = ("nsenter", "util-linux");
const SETPRIV: (&str, &str) = ("setpriv", "util-linux");
const IP: (&str, &str) = ("ip", "iproute2");
/// What machines are attached by.
const TUN: &str = "/dev/net/tun";
/// How long the network may take to be made, and any short program in it to end.
const LIMIT: Duration = Duration::from_secs(60);

/// A user, network and process namespace, and its first process. Clones are the same one; it ends with the last.
#[derive(Clone, Debug)]
pub struct Namespace(Arc<Inner>);

/// The same without keeping it.
#[derive(Clone, Debug)]
pub(super) struct WeakNamespace(Weak<Inner>);

impl WeakNamespace {
    pub(super) fn upgrade(&self) -> Option<Namespace> {
        self.0.upgrade().map(Namespace)
    }
}

#[derive(Debug)]
struct Inner {
    // Closed first: the first process ends at it, and with it all others.
    channel: Mutex<Option<OwnedFd>>,
    child: Mutex<Reaped>,
    pid: u32,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.channel.lock().unwrap_or_else(PoisonError::into_inner).take());
        // The kernel lets the first process go when all others are gone; then this one ends.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).status();
    }
}

impl Namespace {
    /// Makes the namespace with its network. `helper` is the program `orlop-lab`.
    pub fn start(helper: &Path) -> Result<Namespace> {
        for program in [NSENTER, SETPRIV, IP] {
            program::find(program)?;
        }
        tun()?;
        let made = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = made.map_err(|error| Error::Lab(format!("no pair of sockets: {error}")))?;
        sockopt::set_socket_timeout(&ours, sockopt::Timeout::Recv, Some(LIMIT))
            .map_err(|error| Error::Lab(format!("no deadline on a socket: {error}")))?;
        let mut child = Command::new(program::find(UNSHARE)?)
            .args(["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--"])
            .arg(helper)
            .arg("hold")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for whoever runs the lab.
            .process_group(0)
            .spawn()
            .map_err(Error::file("starting", helper))?;
        let pid = child.id();
        match answered(&ours) {
            Ok(_) => {}
            Err(error) => {
                let _ = child.kill();
                let said = child.wait_with_output().map(|output| program::tail(&output.stderr)).unwrap_or_default();
                return Err(Error::Lab(format!(
                    "no network of its own ({error}{}{said}); it needs user namespaces for this user (sysctls \
                     user.max_user_namespaces, kernel.unprivileged_userns_clone, \
                     kernel.apparmor_restrict_unprivileged_userns; in a container: its seccomp profile)",
                    if said.is_empty() { "" } else { ": " }
                )));
            }
        }
        let (channel, child) = (Mutex::new(Some(ours)), Mutex::new(Reaped(child)));
        Ok(Namespace(Arc::new(Inner { channel, child, pid })))
    }

    pub(super) fn downgrade(&self) -> WeakNamespace {
        WeakNamespace(Arc::downgrade(&self.0))
    }

    /// The words before a program that starts it in the network, but as this process' own child.
    pub(super) fn enter(&self) -> Vec<OsString> {
        let pid = self.0.pid;
        let words = [
            NSENTER.0.to_string(),
            format!("--user=/proc/{pid}/ns/user"),
            format!("--net=/proc/{pid}/ns/net"),
            "--preserve-credentials".into(),
            "--".into(),
        ];
        words.map(OsString::from).into()
    }

    /// A program in the network, which is killed with the namespace at the latest.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let pid = self.0.pid;
        let mut command = Command::new(NSENTER.0);
        command.arg(format!("--user=/proc/{pid}/ns/user")).arg(format!("--net=/proc/{pid}/ns/net"));
        // It was made for the children of `unshare`, which itself is not in it.
        command.arg(format!("--pid=/proc/{pid}/ns/pid_for_children"));
        command.args(["--preserve-credentials", "--", SETPRIV.0, "--pdeathsig", "KILL"]).arg(program);
        // A terminal's Ctrl-C is for whoever runs the lab.
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// Runs a program in the network to its end; what it wrote.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> Result<String> {
        let mut command = self.command(program);
        command.args(arguments);
        succeeded(program, finish(command, None, LIMIT)?)
    }

    /// Runs `ip -batch` over these lines.
    pub fn ip(&self, lines: &str) -> Result<()> {
        let mut command = self.command(IP.0);
        command.args(["-batch", "-"]);
        succeeded("ip", finish(command, Some(lines.as_bytes()), LIMIT)?).map(drop)
    }

    /// A TCP socket of the network that listens.
    pub fn listen(&self, address: SocketAddr) -> Result<TcpListener> {
        let socket = self.socket(tcp(address.ip()))?;
        let bound = sockopt::set_socket_reuseaddr(&socket, true)
            .and_then(|()| rustix::net::bind(&socket, &address))
            .and_then(|()| rustix::net::listen(&socket, 128));
        bound.map_err(|error| Error::Lab(format!("listening at {address}: {error}")))?;
        Ok(TcpListener::from(socket))
    }

    /// A UDP socket of the network.
    pub fn udp(&self, address: SocketAddr) -> Result<UdpSocket> {
        let socket = self.socket(if address.is_ipv4() { Kind::Udp4 } else { Kind::Udp6 })?;
        rustix::net::bind(&socket, &address).map_err(|error| Error::Lab(format!("binding {address}: {error}")))?;
        Ok(UdpSocket::from(socket))
    }

    /// Connects from the network's host to an address of it.
    pub fn connect(&self, address: SocketAddr, limit: Duration) -> Result<io::Result<TcpStream>> {
        self.connect_from(None, address, limit)
    }

    /// The same from one of its addresses.
    pub fn connect_from(
        &self,
        from: Option<IpAddr>,
        address: SocketAddr,
        limit: Duration,
    ) -> Result<io::Result<TcpStream>> {
        let socket = self.socket(tcp(address.ip()))?;
        if let Some(from) = from {
            let bound = rustix::net::bind(&socket, &SocketAddr::new(from, 0));
            bound.map_err(|error| Error::Lab(format!("{from} is no address of the lab's host: {error}")))?;
        }
        let timeout = sockopt::Timeout::Send;
        sockopt::set_socket_timeout(&socket, timeout, Some(limit))
            .map_err(|error| Error::Lab(format!("no deadline on a socket: {error}")))?;
        // As of the connections that are taken: see `accepting.rs`.
        sockopt::set_tcp_nodelay(&socket, true)
            .map_err(|error| Error::Lab(format!("no socket that sends at once: {error}")))?;
        let connected = rustix::net::connect(&socket, &address).map_err(|error| match error {
            // What the kernel says of a connection whose deadline has passed.
            Errno::INPROGRESS => io::ErrorKind::TimedOut.into(),
            other => io::Error::from(other),
        });
        Ok(connected.map(|()| TcpStream::from(socket)))
    }

    fn socket(&self, kind: Kind) -> Result<OwnedFd> {
        let channel = self.0.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || Error::Lab("its first process is gone".into());
        let channel = channel.as_ref().ok_or_else(gone)?;
        let asked = send(channel.as_fd(), &[kind.byte()], &[]).and_then(|()| answered(channel));
        asked.map_err(|error| Error::Lab(format!("no socket: {error}")))?.ok_or_else(gone)
    }
}

fn tcp(address: IpAddr) -> Kind {
    if address.is_ipv4() { Kind::Tcp4 } else { Kind::Tcp6 }
}

/// The holder's answer: `+`, perhaps with a socket, or `-` and why not.
fn answered(channel: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let (text, file) = receive(channel.as_fd())?;
    match text.split_first() {
        Some((b'+', _)) => Ok(file),
        Some((_, why)) => Err(io::Error::other(String::from_utf8_lossy(why).into_owned())),
        None => Err(io::Error::other("its first process ended")),
    }
}

fn tun() -> Result<()> {
    std::fs::File::options().read(true).write(true).open(TUN).map(drop).map_err(|error| {
        Error::Lab(format!(
            "{TUN}: {error}; machines are attached by it: load the module `tun`, and let this user read and write the \
             device (chmod 0666, as most systems have it)"
        ))
    })
}
