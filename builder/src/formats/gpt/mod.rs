//! Writing a partition table: a plan that is checked, the `gpt` crate that writes it, and `orlop_chain::gpt`, which shares no
//! code with it, that must read the same back.
//!
//! The crate (4.1.0) does not check where a partition ends, packs entries into the first places, and leaves the first sector
//! empty: so ends are checked here, the plan has no gaps in its numbers, and the protective MBR is written here.

mod plan;
mod write;

pub use plan::{Partition, Plan, PlanError};
pub use write::{WriteError, write};
