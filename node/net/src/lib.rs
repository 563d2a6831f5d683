//! The network and the time of a cluster node, and its node config: the one program that reads bytes from the network
//! for the host. One loop over sockets and deadlines; state machines and parsers are pure, and hold nothing to be true that
//! comes from a segment.

pub mod address;
pub mod bytes;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
mod error;
pub mod firewall;
pub mod host;
pub mod log;
pub mod name;
pub mod netlink;
pub mod notify;
pub mod options;
pub mod plan;
pub mod providers;
pub mod ra;
pub mod reads;
pub mod sandbox;
pub mod sntp;
pub mod sys;
pub mod time;

pub use error::{Error, Result};
