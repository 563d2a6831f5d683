//! Orlop.
fn main() {}
