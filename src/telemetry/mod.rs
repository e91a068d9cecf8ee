//! What operators see: events and metrics, each behind its feature.

pub(crate) mod log;
pub(crate) mod meter;
