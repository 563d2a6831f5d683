//! The kernel's links, addresses and routes, by netlink (`rtnetlink(7)`): messages are bytes that pure functions write and
//! read, [`socket`] carries them.

pub mod address;
pub mod link;
pub mod message;
pub mod route;
pub mod socket;

pub use address::Address;
pub use link::Link;
pub use route::Route;

/// Mark of the addresses and routes that this program made (`IFA_PROTO`, `RTA_PROTOCOL`): it takes away those and no
/// others.
pub const OURS: u8 = 79;
