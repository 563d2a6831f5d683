//! EROFS, read as far as the builder's images go: folders, inodes, content plain or compressed by LZ4 or Zstandard; what an
//! image holds, without mounting it. Images are written by the locked `mkfs.erofs`, and `fsck.erofs` is the second witness of
//! this reader.
//!
//! Layout: Linux `fs/erofs/erofs_fs.h`, `fs/erofs/zmap.c` and `Documentation/filesystems/erofs.rst`.

mod attributes;
mod content;
mod format;
mod lz4;
mod pieces;
mod read;

pub use content::{copy, head};
pub use read::{ErofsError, FileEntry, Kind, list, read};
