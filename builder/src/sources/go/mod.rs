//! Components made of Go modules: resolved and fetched by the go command with the machine's settings, compiled by
//! a locked toolchain with none of them.

mod build;
mod module;
mod resolve;
mod toolchain;
mod unpacked;

pub use build::build;
pub use module::{Sums, fits, packages};
pub use resolve::{Resolver, fetch_modules};
pub use toolchain::locked_toolchain;
pub use unpacked::module_folder;
