//! The blocks of the manual that need tonic, each run as it is pasted.

#[cfg(doctest)]
#[doc = include_str!("../../../src/manual/tonic.md")]
pub struct Manual;
