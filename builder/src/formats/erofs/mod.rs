//! EROFS, read only as far as folders, inodes and plain content go: what an image holds, without mounting it. Images are
//! written by the locked `mkfs.erofs`, and `fsck.erofs` is the second witness of this reader.
//!
//! Layout: Linux `fs/erofs/erofs_fs.h` and `Documentation/filesystems/erofs.rst`.

mod format;
mod read;

pub use read::{ErofsError, FileEntry, Kind, list, read};
