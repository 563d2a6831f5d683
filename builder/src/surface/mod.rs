//! What an image exposes, in numbers: how much of it there is to attack, to review and to patch, and what makes each number
//! up (NIST SP 800-190, §4.4).
//!
//! ```text
//! tree and UKI of a build ─┐
//!                          ├─▶ count ─▶ Surface ─▶ NAME.surface.json, budgets
//! root and UKI of an image ┘               ▲
//!                        boot.json ────────┘ listeners, processes
//! ```
//!
//! [`count()`] is pure, and the same for a build and for an image that is read again ([`crate::report::surface`]): what the document
//! beside the image says can be told from the image alone.

mod boot;
mod budget;
mod change;
mod count;
mod number;
#[cfg(test)]
pub(crate) mod sample;

pub use boot::{Shown, parse as parse_boot, read as read_boot};
pub use budget::{check as check_budgets, unchecked as unchecked_budgets};
pub use change::{NumberChange, changes};
pub use count::{Facts, HEAD, RootFile, count, of_tree};
pub use number::{Number, Surface, SurfaceError, What, parse, render};
