//! Tests in the lab: a network of real servers, one control plane for all of them, and nodes that join it. See
//! `docs/lab.md`.
//!
//! Every wait is for an event or for the cluster's own word, and has a deadline.

mod attach;
#[cfg(feature = "slow")]
mod clock;
mod clouds;
#[cfg(feature = "slow")]
mod cluster;
mod conditions;
mod configz;
mod control_plane;
mod credentials;
#[cfg(feature = "slow")]
mod critest;
mod debug;
#[cfg(feature = "slow")]
mod dual_stack;
#[cfg(feature = "slow")]
mod empty_dirs;
mod join;
#[cfg(feature = "slow")]
mod joining;
mod lacks;
#[cfg(feature = "slow")]
mod lapsed;
#[cfg(feature = "slow")]
mod many_pods;
mod metrics;
mod network;
mod node_logs;
#[cfg(feature = "slow")]
mod outages;
mod probes;
#[cfg(feature = "slow")]
mod providers;
mod pulls;
mod raw_block;
#[cfg(feature = "slow")]
mod rejoin;
#[cfg(feature = "slow")]
mod rotation;
mod segment;
mod servers;
mod services;
#[cfg(feature = "slow")]
mod shutdown;
#[cfg(feature = "slow")]
mod told_everything;
mod two_nodes;
mod volumes;
