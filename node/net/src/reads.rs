//! How much of a socket one turn of the loop reads. Anybody on the segment may send without end, and deadlines, leases and the
//! other sockets must have their turn all the same: what is left ends the next wait at once.

use std::io::{self, ErrorKind};

/// Datagrams of a turn.
pub const MOST: usize = 64;

/// What one turn of the loop reads of one socket.
#[derive(Debug)]
pub struct Reads {
    left: usize,
    /// Something was read.
    any: bool,
}

impl Default for Reads {
    fn default() -> Self {
        Reads { left: MOST, any: false }
    }
}

impl Reads {
    /// The next that is of use; none: there is no more, or the turn is over. `read` gives none for what is passed over. An
    /// error passes too, but one that has stayed for the whole turn is the socket's end: it would end each wait at once.
    pub fn one<T>(&mut self, mut read: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
        while self.left > 0 {
            self.left -= 1;
            match read() {
                Ok(one) => {
                    self.any = true;
                    if one.is_some() {
                        return Ok(one);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if self.left == 0 && !self.any => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are of use in a turn over a socket that gives the same again and again.
    fn turn(mut read: impl FnMut() -> io::Result<Option<u8>>) -> (usize, io::Result<()>) {
        let (mut reads, mut taken, mut calls) = (Reads::default(), 0, 0);
        loop {
            let one = reads.one(|| {
                calls += 1;
                assert!(calls <= MOST, "it goes on");
                read()
            });
            match one {
                Ok(Some(_)) => taken += 1,
                Ok(None) => return (taken, Ok(())),
                Err(error) => return (taken, Err(error)),
            }
        }
    }

    #[test]
    fn a_flood_has_an_end() {
        let (taken, end) = turn(|| Ok(Some(1)));
        assert_eq!(taken, MOST);
        end.expect("no error");
        let (taken, end) = turn(|| Ok(None));
        assert_eq!(taken, 0, "what is passed over counts as well");
        end.expect("no error");
    }

    #[test]
    fn an_error_passes_and_one_that_stays_ends_the_socket() {
        let (taken, end) = turn(|| Err(ErrorKind::ConnectionRefused.into()));
        assert_eq!((taken, end.expect_err("it stays").kind()), (0, ErrorKind::ConnectionRefused));
        let (_, end) = turn(|| Err(ErrorKind::Interrupted.into()));
        end.expect("a signal is no error");
        let mut script = [Err(ErrorKind::ConnectionRefused), Ok(Some(1)), Ok(None), Ok(Some(2))].into_iter();
        let (taken, end) = turn(|| script.next().unwrap_or(Err(ErrorKind::WouldBlock)).map_err(io::Error::from));
        assert_eq!(taken, 2);
        end.expect("nothing is left");
        let mut first = Some(1);
        let (taken, end) = turn(|| first.take().map(Some).ok_or_else(|| ErrorKind::ConnectionRefused.into()));
        assert_eq!(taken, 1);
        end.expect("the next turn will tell");
    }
}
