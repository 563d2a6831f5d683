//! containerd and kubelet: start, readiness, back-off, logs, stop; and programs that run once.

mod backoff;
mod health;
mod job;
mod lines;
mod log;
pub mod notify;
mod retries;
mod service;
mod store;

pub use health::Endpoint;
pub use job::{Job, Purpose, Task};
pub use lines::LinePipe;
pub use log::Trouble;
pub use retries::Retries;
pub use service::{News, OOM_SCORE, Recipe, Service};
