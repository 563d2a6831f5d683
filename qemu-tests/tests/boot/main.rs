//! Boot tests: machines that boot the built images, and what they must show. See `docs/testing.md`.
//!
//! Every wait is for an event and has a deadline; most boots are direct (no firmware), and end at the line
//! that was awaited.

// What of them is words is for the matrix' table.
#[allow(dead_code)]
mod altered;
#[allow(dead_code)]
mod attempts;
mod bench;
#[cfg(feature = "slow")]
mod crash;
mod disks;
mod empty;
mod healthy;
mod lifecycle;
mod partition_table;
mod power_cuts;
mod privileged;
mod probe;
mod promises;
mod rotation;
mod services;
mod state;
mod state_tampered;
mod two_disks;
mod workloads;
