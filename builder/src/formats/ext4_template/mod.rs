//! The state template: how its ext4 is made, and its sparse list of extents. What a node does with it is in
//! [`orlop_chain::state_template`].

mod extract;
mod recipe;

pub use extract::{TemplateError, from_image};
pub use recipe::{BYTES, mke2fs_args, mke2fs_environment};
