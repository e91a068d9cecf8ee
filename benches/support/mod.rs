//! What all measurements have in common: who measures, and what is measured.

pub(crate) mod grown;
pub(crate) mod meter;
pub(crate) mod world;
