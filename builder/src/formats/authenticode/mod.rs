//! Authenticode signatures of portable executables, as firmware checks them under Secure Boot (Microsoft, "Windows
//! Authenticode Portable Executable Signature Format"; UEFI 2.10, 32.2).
//!
//! ```text
//! digest of the image ─▶ content (spc) ─▶ attributes: what the key signs ─▶ PKCS#7 ─▶ certificate table at the file's end
//! ```

mod attach;
mod read;
mod spc;

pub use attach::{attach, to_sign};
pub use read::{AuthenticodeError, certificates, digest_signed_by, signed_by, strip};

#[cfg(test)]
mod tests;
