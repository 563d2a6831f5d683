//! X.509 certificates (RFC 5280) of RSA-2048 keys: what UEFI firmware and the kernel's `.platform` keyring take.

mod make;
mod read;

pub use make::{Subject, make};
pub use read::{Certificate, CertificateError, RSA_BITS};

#[cfg(test)]
mod tests;
