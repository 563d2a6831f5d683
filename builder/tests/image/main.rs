//! The command line over a built image (`make image`) and a full cache: what `verify` refuses, outputs that cannot be
//! written, builds that are interrupted or meet each other, builds that must give the same bytes, and a definition
//! of somebody's own, far from this repository.

mod compare;
mod crates;
mod damaged;
mod epoch;
mod go_programs;
mod hostile;
mod kubelet;
mod licences;
mod output;
mod outside;
mod project;
mod provenance;
mod registry;
mod report;
mod reproducible;
mod run;
mod sbom;
mod scan;
mod schema;
mod shared_cache;
mod signed_elsewhere;
mod surface;
mod tampered;
mod tools_of_the_build;
mod verdict;
mod witnesses;

#[path = "../support/mod.rs"]
mod support;

#[path = "../tools/mod.rs"]
mod tools;
