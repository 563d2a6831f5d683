//! The host's network as one value: [`desired`] says what should be there, [`reconcile`] what is to change for it, [`nics`]
//! what the cards go through, [`files`] what others read, [`time`] the clock, [`names`] who is asked for it, [`config`] how
//! the node config comes, and [`engine`] is the loop that carries it out.

pub mod config;
pub mod desired;
pub mod engine;
pub mod files;
pub mod ipv6;
pub mod names;
pub mod nics;
pub mod reconcile;
pub mod time;

#[cfg(test)]
mod dhcp6_tests;
#[cfg(test)]
mod tests;
