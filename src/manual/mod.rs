//! Long prose: how things work and why.

#[doc = include_str!("keys.md")]
pub mod keys {}

#[doc = include_str!("entra.md")]
#[cfg(feature = "client")]
pub mod entra {}

#[doc = include_str!("mistakes.md")]
pub mod mistakes {}
