//! The checks of the chain of trust.
