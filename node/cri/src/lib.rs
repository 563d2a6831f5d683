//! The verbs of the program `cri`, which speaks to containerd for PID 1: import a carried image, wait for pods, stop
//! all containers. One connection, one thread, no retries: the caller has the deadline.

pub mod archive;
pub mod channel;
pub mod cli;
mod error;
pub mod import;
pub mod manifest;
pub mod pods;
pub mod proto;
pub mod stop;
pub mod wait;

pub use error::{Error, Result};
