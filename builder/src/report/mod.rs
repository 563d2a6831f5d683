//! What is said of an image to others: what is in it ([`crate::inventory`]) in the words of two standards ([`spdx`],
//! [`cyclonedx`]); its surface in numbers ([`surface`]); what differs between two ([`diff`]); and all that is known of one on
//! a page ([`html`]): its [`chain`] of trust and what a machine said of its [`boot`], too.
//!
//! The documents are pure functions of an inventory, without clock, host name or path of the machine that makes them.

pub mod boot;
pub mod chain;
pub mod cyclonedx;
pub mod diff;
pub mod html;
mod licences;
pub mod spdx;
pub mod surface;
pub(crate) mod time;
