//! DHCP for IPv6 (RFC 8415): one address for a card whose router says that addresses come so. [`message`] reads and writes
//! packets, [`client`] is the state machine, [`socket`] carries packets.

pub mod client;
pub mod message;
pub mod socket;

pub use client::{Client, Lease};
