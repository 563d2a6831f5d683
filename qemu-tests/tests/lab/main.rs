//! Tests in the lab: a network of real servers, one control plane for all of them, and nodes that join it. See
//! `docs/lab.md`.
//!
//! Every wait is for an event or for the cluster's own word, and has a deadline.

mod attach;
mod conditions;
mod control_plane;
mod debug;
mod empty_dirs;
mod join;
#[cfg(feature = "slow")]
mod many_pods;
mod metrics;
mod node_logs;
mod outages;
mod probes;
mod pulls;
mod raw_block;
mod segment;
mod servers;
mod services;
mod two_nodes;
mod volumes;
