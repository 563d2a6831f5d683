//! The typed documents of Orlop, their checks, and what is rendered from them. Pure data, no I/O.
//!
//! | document | who writes it | who reads it |
//! |---|---|---|
//! | [`definition`] image definition | a person | `orlop` |
//! | [`keys`] set of keys | `orlop keygen`, a person | `orlop` |
//! | [`lockfile`] lockfile | `orlop lock` | `orlop build` |
//! | [`manifest`] boot and release manifest | `orlop build` | PID 1, `orlop verify` |
//! | [`node`] node settings, in the root | `orlop build` | PID 1, `orlop-net` |
//! | [`node_config`] node config | a person | `orlop config`, PID 1, `orlop-net` |

pub mod date;
#[cfg(feature = "toml")]
pub mod definition;
pub mod firewall;
#[cfg(feature = "toml")]
pub mod keys;
#[cfg(feature = "toml")]
pub mod lockfile;
pub mod manifest;
pub mod node;
#[cfg(feature = "toml")]
pub mod node_config;
#[cfg(feature = "toml")]
mod problem;
#[cfg(feature = "toml")]
pub mod render;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "toml")]
mod text;

#[cfg(feature = "toml")]
pub use text::{Mistake, Text, nearest};
