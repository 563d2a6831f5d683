//! The time, by SNTP (RFC 4330, 5905): [`message`] reads and writes packets, [`client`] is the state machine, [`judge`]
//! says whom of several servers to believe, [`clock`] sets the kernel's clock, [`socket`] carries packets.

pub mod client;
pub mod clock;
pub mod judge;
pub mod message;
pub mod socket;

pub use client::Client;
