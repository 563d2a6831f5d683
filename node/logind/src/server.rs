//! The loop: connections, inhibitors, and PID 1.

use crate::client::{Client, World};
use crate::inhibitors::Inhibitors;
use crate::order::Order;
use crate::say;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::convert::Infallible;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// kubelet has one connection.
const MOST_CLIENTS: usize = 16;

/// Makes the socket, for its own user alone. It is there from one moment to the next, whoever was there before.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
    fs::rename(&beside, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// All of it.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    order: Option<Order>,
    delay: Duration,
    uid: u32,
    clients: Vec<Client>,
    inhibitors: Inhibitors,
    stopping: bool,
    /// The number of inhibitors that PID 1 heard last.
    told: Option<usize>,
    next: u32,
}

/// What a poll found.
struct Heard {
    connection: bool,
    order: bool,
    clients: Vec<bool>,
    closed: Vec<bool>,
}

impl Server {
    /// Serves clients of this user.
    #[must_use]
    pub fn new(listener: UnixListener, order: Option<Order>, delay: Duration, uid: u32) -> Self {
        Server {
            listener,
            order,
            delay,
            uid,
            clients: Vec::new(),
            inhibitors: Inhibitors::default(),
            stopping: false,
            told: None,
            next: 1,
        }
    }

    /// Never ends but by an error of the kernel's.
    pub fn run(mut self) -> io::Result<Infallible> {
        loop {
            self.turn()?;
        }
    }

    /// Waits once, and does what there is to do.
    fn turn(&mut self) -> io::Result<()> {
        let heard = self.wait()?;
        self.inhibitors.forget(&heard.closed);
        self.read_clients(&heard.clients);
        if heard.order {
            self.read_order();
        }
        if heard.connection {
            self.accept();
        }
        self.tell();
        Ok(())
    }

    fn wait(&self) -> io::Result<Heard> {
        let read = PollFlags::POLLIN;
        let mut fds = vec![PollFd::new(self.listener.as_fd(), read)];
        fds.extend(self.order.iter().map(|order| PollFd::new(order.fd(), read)));
        let clients = fds.len();
        fds.extend(self.clients.iter().map(|client| PollFd::new(client.fd(), read)));
        let inhibitors = fds.len();
        fds.extend(self.inhibitors.fds());
        match poll(&mut fds, self.patience()) {
            Ok(_) => {}
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        Ok(Heard {
            connection: ready[0],
            order: clients == 2 && ready[1],
            clients: ready[clients..inhibitors].to_vec(),
            closed: ready[inhibitors..].to_vec(),
        })
    }

    /// Until the first client that does not say who it is has said it for too long.
    fn patience(&self) -> PollTimeout {
        let Some(first) = self.clients.iter().filter_map(Client::deadline).min() else { return PollTimeout::NONE };
        let left = first.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    fn read_clients(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let mut world = World { inhibitors: &mut self.inhibitors, delay: self.delay, stopping: self.stopping };
        let mut ready = ready.iter();
        self.clients.retain_mut(|client| {
            let read = if ready.next() == Some(&true) { client.read(&mut world) } else { Ok(()) };
            let late = client.deadline().is_some_and(|deadline| deadline <= now);
            match read {
                Ok(()) if late => closed(client.id, "it does not say who it is"),
                Ok(()) => true,
                Err(why) => closed(client.id, &why),
            }
        });
    }

    fn read_order(&mut self) {
        match self.order.as_mut().map(Order::read) {
            Some(Ok(true)) if !self.stopping => self.prepare(),
            Some(Err(error)) => {
                say(&format!("PID 1 is not at the other end any more: {error}"));
                self.order = None;
            }
            _ => {}
        }
    }

    /// The machine is to stop.
    fn prepare(&mut self) {
        self.stopping = true;
        let holders = self.inhibitors.holders();
        say(&format!("the end begins; inhibitors={} {holders}", self.inhibitors.count()));
        self.clients.retain_mut(|client| client.prepare().map_or_else(|why| closed(client.id, &why), |()| true));
    }

    /// Who comes when there are too many takes the place of the oldest that holds no inhibitor.
    fn accept(&mut self) {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) => return,
        };
        if self.clients.len() >= MOST_CLIENTS {
            match self.clients.iter().position(|client| self.inhibitors.held_by(client.id) == 0) {
                Some(oldest) => drop(closed(self.clients.remove(oldest).id, "there are too many")),
                None => return say("a connection is refused: there are too many"),
            }
        }
        match Client::new(stream, self.next, self.uid) {
            Ok(client) => {
                self.next = self.next.wrapping_add(1).max(1);
                self.clients.push(client);
            }
            Err(error) => say(&format!("a connection is refused: {error}")),
        }
    }

    /// Once the end has begun PID 1 hears how many inhibitors are left.
    fn tell(&mut self) {
        let count = self.inhibitors.count();
        if let Some(order) = self.order.as_mut().filter(|_| self.stopping && self.told != Some(count)) {
            self.told = Some(count);
            if let Err(error) = order.say(count) {
                say(&format!("PID 1 does not hear: {error}"));
                self.order = None;
            }
        }
    }
}

/// Says why a connection ends, unless its client ended it; it is not kept.
fn closed(id: u32, why: &str) -> bool {
    if !why.is_empty() {
        say(&format!("connection {id} is closed: {why}"));
    }
    false
}
