//! cpio archives in the "newc" format, as the kernel unpacks them (`Documentation/driver-api/early-userspace/buffer-format.rst`).

mod format;
mod read;
mod write;

pub use read::{CpioError, Member, read};
pub use write::{Entry, Kind, WriteError, write};
