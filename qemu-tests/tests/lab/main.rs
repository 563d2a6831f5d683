//! Tests in the lab: a network of real servers, one control plane for all of them, and nodes that join it. See
//! `docs/lab.md`.
//!
//! Every wait is for an event or for the cluster's own word, and has a deadline.

mod control_plane;
mod critest;
mod join;
mod joining;
mod pulls;
mod rejoin;
mod segment;
mod servers;
mod services;
mod two_nodes;
mod volumes;
