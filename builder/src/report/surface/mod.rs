//! The surface numbers of an image, read from the image alone, and shown beside the previous one's.

mod read;
mod text;

pub use read::{of, read};
pub use text::text;
