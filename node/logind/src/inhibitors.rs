//! Who holds an inhibitor: a pipe, whose writing end the client has. It is given back when the last descriptor of that
//! end is closed, by its owner's end at the latest.

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags};
use nix::unistd::pipe2;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// kubelet has one, and two for a moment.
pub const MOST_OF_ONE: usize = 4;
/// Of all clients together.
const MOST: usize = 16;

#[derive(Debug)]
struct Held {
    reader: OwnedFd,
    client: u32,
    who: String,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Inhibitors(Vec<Held>);

impl Inhibitors {
    /// Makes one for a client; the end that it gets. None: there are too many.
    pub fn make(&mut self, client: u32, who: String) -> io::Result<Option<OwnedFd>> {
        if self.0.len() >= MOST || self.held_by(client) >= MOST_OF_ONE {
            return Ok(None);
        }
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        self.0.push(Held { reader, client, who });
        Ok(Some(writer))
    }

    /// How many a client has.
    #[must_use]
    pub fn held_by(&self, client: u32) -> usize {
        self.0.iter().filter(|held| held.client == client).count()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Who holds them, as they call themselves.
    #[must_use]
    pub fn holders(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|held| held.who.as_str()).collect();
        names.join(", ")
    }

    /// What to poll for: that the other end is closed, which is always told. What is written there nobody reads.
    pub fn fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.0.iter().map(|held| PollFd::new(held.reader.as_fd(), PollFlags::empty()))
    }

    /// Forgets those that were given back: one answer for each, in the order of [`Inhibitors::fds`].
    pub fn forget(&mut self, closed: &[bool]) {
        let mut closed = closed.iter();
        self.0.retain(|_| !closed.next().copied().unwrap_or(false));
    }
}
