//! Firmware's key variables: signature lists (`.esl`) and signed updates of them (`.auth`), as firmware setup,
//! `efi-updatevar` and clouds take them (UEFI 2.10, 32.4.1 and 8.2.2).

mod auth;
mod list;

pub use auth::{AuthError, Variable, auth, read_auth, to_sign};
pub use list::{owner, signature_list};

#[cfg(test)]
mod tests;
