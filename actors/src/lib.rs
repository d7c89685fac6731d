//! Tandem's actors.

pub mod store;
