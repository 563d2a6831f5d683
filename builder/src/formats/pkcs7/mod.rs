//! PKCS#7 signed data (RFC 2315, RFC 5652) with one RSA signature by SHA-256, in the three forms that kernel and firmware
//! take: detached over a root hash, around an IPE policy, and detached over a firmware variable.

mod read;
mod write;

pub use read::{Pkcs7Error, Signed};
pub(in crate::formats) use write::algorithm;
pub use write::{Content, Form, write, write_signed_data};

#[cfg(test)]
mod tests;
