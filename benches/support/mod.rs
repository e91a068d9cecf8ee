//! The common ground of all measurements: who measures, and what is measured.

pub(crate) mod grown;
pub(crate) mod meter;
#[expect(dead_code, reason = "other measurements use the rest of it")]
pub(crate) mod widest;
pub(crate) mod world;
