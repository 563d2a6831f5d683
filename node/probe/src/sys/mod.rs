//! The only unsafe code of this program.

pub mod dm;
pub mod kernel;
pub mod memory;
