//! What the targets share: an issuer with a fixed key, a guarded service without a network, and the
//! models that say what the crate should have answered.
//!
//! Nothing in [`model`] names the crate: it is written from the standards and from what the crate
//! promises, so that a mistake in the one is not a mistake in the other.

pub mod access;
pub mod asked;
pub mod caller;
pub mod client;
pub mod confined;
pub mod issuer;
pub mod judged;
pub mod model;
pub mod service;
