//! Kernel modules: loading them in waves, and by the aliases of the devices that are there.

mod alias;
mod loader;
pub mod uevent;

pub use loader::{Loader, read_lists};
