//! Long prose: how things work and why.

#[doc = include_str!("keys.md")]
pub mod keys {}
