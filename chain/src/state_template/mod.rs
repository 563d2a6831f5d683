//! The state partition's first content: an empty ext4 as a sparse list of extents, and how it gets onto a blank partition.
//!
//! The file is the line `orlop-state-template-v1`, a line of JSON (`{"size":…,"block":…,"extents":[[offset,length],…]}`), then
//! the extents' bytes one after the other. There is no mkfs on the node.

mod format;
mod judge;
mod plan;
pub mod superblock;

pub use format::{BLOCK, Extent, Layout, MAGIC_LINE, Template, TemplateError, encode_header};
pub use judge::{BLANK_BYTES, Content, judge};
pub use plan::{Identity, plan};

#[cfg(test)]
mod tests;
