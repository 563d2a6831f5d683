//! The definitions that are shipped, as the tests read them.

#![allow(dead_code)]

use orlop_config::Text;
use orlop_config::definition::{ConfigError, ReadError, Resolved, load};

/// `images/node.toml`.
pub const NODE: &str = include_str!("../../../images/node.toml");
/// `images/cluster.toml`.
pub const CLUSTER: &str = include_str!("../../../images/cluster.toml");
/// `images/standalone.toml`.
pub const STANDALONE: &str = include_str!("../../../images/standalone.toml");

/// A reader that knows the shipped node only.
pub fn shipped(value: &str, from: &str) -> Result<Text, ReadError> {
    match value {
        "orlop:node" => Ok(Text::new("orlop:node", NODE)),
        other => Err(format!("{from} wants {other}, and there is no such file").into()),
    }
}

/// A definition over the shipped ones.
pub fn resolve(text: &str) -> Result<Resolved, ConfigError> {
    load(Text::new("my/image.toml", text), &mut shipped)
}
