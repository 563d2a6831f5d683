//! Portable executables (PE32+), as far as a unified kernel image needs them: reading sections, adding sections to systemd's
//! stub (UAPI.5, by the rules of `ukify`), and the digest that Authenticode signs.
//!
//! Format: Microsoft's "PE Format"; `linuxx64.efi.stub` and `ukify.py` of systemd 257.

mod add;
mod certificates;
mod digest;
mod format;
mod kernel;
mod read;

pub use add::{NewSection, add_sections};
pub use certificates::{add_certificates, certificates, remove_certificates};
pub use digest::authenticode_digest;
pub use kernel::kernel_release;
pub use read::{Image, PeError, Section};

#[cfg(test)]
pub(crate) mod tests;
