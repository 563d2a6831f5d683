//! The host's firewall: table `inet orlop` of nftables, in one transaction. What is let through is
//! [`orlop_config::firewall`]'s to say; [`message`] writes it for the kernel.
//!
//! The table belongs to this program's socket: nobody else changes it, and a flush of all rules leaves it; where the kernel
//! can (6.9), it stays if the program ends, and the next one takes it over. Other tables are not touched.

pub mod message;

use crate::netlink::socket::Requests;
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use orlop_config::firewall::Rule;
use std::io;

/// `NFT_TABLE_F_OWNER` and `NFT_TABLE_F_PERSIST`.
const OWNED: u32 = 2 | 4;

/// The socket that has the table.
#[derive(Debug)]
pub struct Firewall {
    requests: Requests,
    applied: Option<Vec<Rule>>,
}

impl Firewall {
    /// Opens the socket.
    pub fn open() -> io::Result<Self> {
        Ok(Firewall { requests: Requests::of(SockProtocol::NetlinkNetFilter)?, applied: None })
    }

    /// The rules are in force.
    pub fn is_up(&self) -> bool {
        self.applied.is_some()
    }

    /// Puts rules in force, in place of those of before; nothing happens where they are the same.
    pub fn apply(&mut self, rules: &[Rule]) -> io::Result<()> {
        if self.applied.as_deref() == Some(rules) {
            return Ok(());
        }
        let last = match self.send(rules, OWNED) {
            // A kernel that knows no owners, or not that they may go.
            Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => self.send(rules, 0),
            other => other,
        };
        last.map_err(|error| match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            Errno::ENOENT | Errno::EPROTONOSUPPORT | Errno::EOPNOTSUPP => io::Error::other(format!(
                "the kernel has not all of nftables ({error}); it needs the modules nf_tables, nft_ct and nf_conntrack"
            )),
            _ => error,
        })?;
        self.applied = Some(rules.to_vec());
        Ok(())
    }

    fn send(&mut self, rules: &[Rule], flags: u32) -> io::Result<()> {
        let first = self.requests.number();
        let (bytes, last) = message::transaction(rules, flags, first);
        while self.requests.number() < last {}
        self.requests.send(&bytes, last, |_| ())
    }
}

#[cfg(test)]
mod tests;
