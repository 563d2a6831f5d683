//! Tests in the lab: a network of real servers, one control plane for all of them, and nodes that join it. See
//! `docs/lab.md`.
//!
//! Every wait is for an event or for the cluster's own word, and has a deadline.

#[cfg(feature = "slow")]
mod clock;
mod clouds;
mod control_plane;
mod join;
mod network;
mod pulls;
mod segment;
mod servers;
mod services;
mod shutdown;
mod two_nodes;
mod volumes;
