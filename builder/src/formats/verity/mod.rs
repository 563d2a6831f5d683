//! Building a dm-verity tree: streaming, over all cores, in bounded memory. Its format is in [`orlop_chain::verity`].

mod build;

pub use build::{BuildError, build, build_with_threads};
