//! DHCP for IPv6 (RFC 8415): one address for a card whose router says that addresses come so, or name servers and the like
//! where it says that only those do. [`message`] reads and writes packets, [`client`] is the state machine, [`lease`] what
//! an answer is worth, [`socket`] carries packets.

pub mod client;
pub mod lease;
pub mod message;
pub mod socket;

pub use client::Client;
pub use lease::{Lease, Settings};
