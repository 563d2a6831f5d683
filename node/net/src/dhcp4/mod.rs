//! DHCP for IPv4 (RFC 2131, 2132, 3397, 3442): [`message`] reads and writes packets, [`client`] is the state machine,
//! [`lease`] what an answer is worth, [`socket`] what carries packets.

pub mod client;
pub mod lease;
pub mod message;
pub mod socket;

pub use client::Client;
pub use lease::Lease;
