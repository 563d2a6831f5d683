//! What is said of an image to others: what is in it ([`inventory`]), and that in the words of two standards ([`spdx`],
//! [`cyclonedx`]); its surface in numbers ([`surface`]); what differs between two ([`diff`]); and all that is known of one on
//! a page ([`html`]): its [`chain`] of trust and what a machine said of its [`boot`], too.
//!
//! An inventory is read from the image alone: with the build's folder deleted it is the same. The documents are pure functions
//! of it, without clock, host name or path of the machine that makes them.

pub mod boot;
pub mod chain;
pub mod cyclonedx;
pub mod diff;
pub mod html;
pub mod inventory;
mod licences;
pub mod spdx;
pub mod surface;
pub(crate) mod time;
