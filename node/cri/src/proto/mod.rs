//! Code generated from `proto/*.proto`; the test `generated` makes it anew and compares.
#![allow(missing_docs, clippy::all)]
#![allow(rustdoc::all)]

/// Descriptors of containerd.
#[rustfmt::skip]
#[path = "containerd.types.rs"]
pub mod types;

/// containerd's content store.
#[rustfmt::skip]
#[path = "containerd.services.content.v1.rs"]
pub mod content;

/// What containerd unpacks layers with.
#[rustfmt::skip]
#[path = "containerd.services.diff.v1.rs"]
pub mod diff;

/// containerd's image store.
#[rustfmt::skip]
#[path = "containerd.services.images.v1.rs"]
pub mod images;

/// containerd's leases.
#[rustfmt::skip]
#[path = "containerd.services.leases.v1.rs"]
pub mod leases;

/// containerd's snapshots.
#[rustfmt::skip]
#[path = "containerd.services.snapshots.v1.rs"]
pub mod snapshots;

/// The container runtime interface.
#[rustfmt::skip]
#[path = "runtime.v1.rs"]
pub mod runtime;
