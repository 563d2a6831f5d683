//! The verbs of the program `cri`, which speaks to containerd for PID 1: import a carried image, wait for pods, stop
//! all containers. One connection, one thread, no retries: the caller has the deadline.

pub mod archive;
pub mod channel;
pub mod cli;
pub mod compare;
mod error;
pub mod import;
pub mod layer;
pub mod lease;
pub mod manifest;
pub mod pods;
pub mod proto;
pub mod snapshots;
pub mod stop;
pub mod store;
pub mod wait;

pub use error::{Error, Result};

/// `Ok(None)` where the answer is the expected "no".
fn unless<T>(
    expected: tonic::Code,
    answer: std::result::Result<T, tonic::Status>,
) -> std::result::Result<Option<T>, tonic::Status> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == expected => Ok(None),
        Err(status) => Err(status),
    }
}
